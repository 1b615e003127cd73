"""The command `k2c`, forked from a process that has imported it: a test waits for what it does, not for imports."""

import atexit
import os
import sys
from pathlib import Path


def main() -> int:
    """Run `k2c` with this process's arguments, as `python -m k2c` does, and return its exit status."""
    errors = os.open(os.environ.pop("K2C_TEST_ERRORS"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(errors, 2)
    sys.argv[0] = "k2c"
    sys.path.insert(0, str(Path.cwd()))  # as python -m does
    from k2c.cli import main as command

    try:
        command(prog_name="k2c")
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        atexit._run_exitfuncs()  # a fork ends without them
    return 0
