"""Run a command and end it when the parent goes: `python hold.py COMMAND ...`, run as a file, needs no package.

The parent holds the other end of standard input; it closes when the parent ends, however that happens.
"""

import os
import signal
import subprocess
import sys
import threading

SECONDS_TO_STOP = 5


def main() -> int:
    """Run the command; returns its status."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def stop(*_: object) -> None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()

    def watch() -> None:
        while os.read(0, 1024):
            pass
        stop()

    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
