"""Lets `python -m k2c` do what the command `k2c` does."""

from k2c.cli import main

main(prog_name="k2c")
