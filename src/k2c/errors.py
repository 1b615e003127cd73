"""Errors that a user of the kit can cause: sentences, not tracebacks."""


class K2CError(Exception):
    """What was wrong, what is allowed and what to do next, in a sentence or two.

    The command line prints the message and exits with status 2; a notebook shows it as the last line of the cell.
    """
