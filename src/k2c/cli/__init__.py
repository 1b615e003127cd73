"""The command line."""

from k2c.cli.app import main

__all__ = ["main"]
