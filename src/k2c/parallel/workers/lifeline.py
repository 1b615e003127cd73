"""End with the parent process: it holds the other end of standard input, which closes whenever and however it ends.

Run as a file (`python lifeline.py COMMAND ...`), this does so for a program that cannot. It imports no package.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

LIFELINE = "K2C_LIFELINE"  # the variable that is "1" where a parent holds standard input
LOST = 75  # exit status of a worker that lost its parent or the other workers
SECONDS_TO_STOP = 5


def when_parent_ends(act: Callable[[], object]) -> None:
    """Call a function, in a thread, when standard input closes."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        act()

    threading.Thread(target=watch, daemon=True).start()


def end_with_parent() -> None:
    """End this process when its parent does, where a parent holds standard input."""
    if os.environ.get(LIFELINE) == "1":
        when_parent_ends(lambda: os._exit(LOST))


def main() -> int:
    """Run a command that ends with the parent; returns its status."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def stop(*_: object) -> None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()

    signal.signal(signal.SIGTERM, stop)
    when_parent_ends(stop)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
