"""Where another program starts Python by its command line, a fork that has its imports done takes its place.

`serve` forks a process that waits at a socket. The other program starts this module, which imports next to nothing:
it hands its environment and its standard streams to the waiting process, and ends when that does.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from k2c._system.forkserver.server import run_and_leave

SOCKET = "K2C_FORK_SOCKET"  # the variable that says where the waiting process listens


def serve(function: Callable[[], object]) -> str:
    """Fork a process that calls a function in place of each one that runs this module, and return where it waits.

    It ends with this process. Call it before this process has threads.

    Parameters
    ----------
    function
        What is called, with the environment and the streams of the process that it replaces.

    Returns
    -------
    str
        The value of the variable `SOCKET` for the processes that are to be replaced.
    """
    folder = tempfile.mkdtemp(prefix="k2c-")  # ours alone: whoever can connect runs code as us
    path = str(Path(folder, "socket"))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    lifeline, held = os.pipe()  # nothing is written; it closes with this process, however that ends
    if os.fork() == 0:
        os.close(held)
        try:
            _fork_for_each(listening, lifeline, function)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(0)
    listening.close()
    os.close(lifeline)
    return path


def _fork_for_each(listening: socket.socket, lifeline: int, function: Callable[[], object]) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended forks need no waiting for
    while True:
        ready, _, _ = select.select([listening.fileno(), lifeline], [], [])
        if lifeline in ready:
            return
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            os.close(lifeline)
            run_and_leave(partial(_run, connection, function))
        connection.close()


def _run(connection: socket.socket, function: Callable[[], object]) -> object:
    _take_over(connection)
    return function()


def _take_over(connection: socket.socket) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    for standard, stream in enumerate(streams):
        os.dup2(stream, standard)
        os.close(stream)
    with connection.makefile("r", encoding="utf-8") as content:
        environment = json.loads(content.readline())
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def main() -> None:
    """Have another process take this one's place; return when it has ended."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[SOCKET])
        socket.send_fds(connection, [b"!"], [0, 1, 2])
        connection.sendall(json.dumps(dict(os.environ)).encode() + b"\n")
        for standard in (0, 1):  # the other's now
            os.close(standard)
        with contextlib.suppress(ConnectionError):
            connection.recv(1)


if __name__ == "__main__":
    main()
