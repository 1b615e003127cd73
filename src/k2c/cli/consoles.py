"""Where the command prints."""

from k2c._system.terminal import Terminal

console = Terminal()
problems = Terminal(stderr=True)
