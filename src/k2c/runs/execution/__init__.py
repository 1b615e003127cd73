"""One run of one lecture: its kernel, its limits, its results."""
