"""What the strategies share: starting workers, watching them, their messages, and the replica that each trains."""
