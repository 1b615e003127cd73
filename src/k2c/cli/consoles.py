"""Where the commands print: results, and problems."""

from rich.console import Console

console = Console()
problems = Console(stderr=True)
