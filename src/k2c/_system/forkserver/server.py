"""The process that forks. It imports first, then answers requests; run by `client.ForkServer`.

It must stay a process of one thread that has run no torch operation: a fork copies only the thread that calls it,
and a pool of threads that was there before is gone in the child while its locks may still be held.
"""

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


def main() -> None:
    """Serve until the client's end of the connection, given as a file descriptor, is closed."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    # Ctrl-C reaches every process of the terminal; it is for the client to end what it started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.path and sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]  # put there by `python -m`; the forks do without
    preload(json.loads(sys.argv[2]))
    gc.collect()
    gc.freeze()  # the collector leaves what was imported alone, so its pages stay shared
    Server(connection).serve()


def preload(names: list[str]) -> None:
    """Import modules, and call functions that are given as `module:function`, or so with arguments after a space."""
    for name in names:
        # What cannot be imported here fails where it is used, where a reader sees it.
        with contextlib.suppress(Exception):
            if ":" in name:
                function, *arguments = name.split(" ")
                _function(function)(*arguments)
            else:
                importlib.import_module(name)


class Server:
    """Forks a process for each request, and tells when one ends.

    Requests and answers are lines of JSON. In: `{"function": "module:function", "argv": [...], "cwd": ...,
    "env": {...}, "output": path or null, "lifeline": true or false}`. Out: `{"pid": number}` for a request, in
    their order, and `{"exited": pid, "code": number}` for an end.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._children: set[int] = set()
        self._wake, self._woken = socket.socketpair()
        # Nothing is ever written to it; it closes with this process, however that ends.
        self._lifeline, self._held = os.pipe()

    def serve(self) -> None:
        """Answer until the client hangs up; then kill what still runs."""
        for end in (self._wake, self._woken):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._woken.fileno())
        selector = selectors.DefaultSelector()
        selector.register(self._connection, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        received = b""
        with contextlib.suppress(ConnectionError):  # the client may be gone before this process is ready
            self._tell({"ready": os.getpid()})
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._wake:
                        self._wake.recv(4096)
                        continue
                    content = self._connection.recv(1 << 20)
                    if not content:
                        return self._end()
                    *lines, received = (received + content).split(b"\n")
                    for line in lines:
                        self._fork(json.loads(line))
                self._reap()
        return self._end()

    def _tell(self, message: dict[str, Any]) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def _fork(self, request: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            self._connection.close()
            os.close(self._held)
            run_request(request, self._lifeline)
        self._children.add(pid)
        self._tell({"pid": pid})

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._children.discard(pid)
                self._tell({"exited": pid, "code": os.waitstatus_to_exitcode(status)})

    def _end(self) -> None:
        signal.set_wakeup_fd(-1)  # what it wakes is about to be closed
        for pid in self._children:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


def run_request(request: dict[str, Any], lifeline: int) -> NoReturn:
    """Set up a new fork as requested, call the requested function, and leave."""

    def work() -> object:
        _set_up(request, lifeline)
        _reseed()
        sys.argv = [request["function"], *request["argv"]]
        return _function(request["function"])()

    run_and_leave(work)


def run_and_leave(work: Callable[[], object]) -> NoReturn:
    """Call a function, then end this fork at once, without the clean-up of the process that it was forked from."""
    code: object = 1
    try:
        code = work() or 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):
                stream.flush()  # type: ignore[union-attr]
        os._exit(code if isinstance(code, int) else int(code is not None))


def _set_up(request: dict[str, Any], lifeline: int) -> None:
    """Give the process a group, an environment, a folder, a path and streams of its own."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    output = os.open(request["output"] or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    source = lifeline if request["lifeline"] else os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((source, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, standard)
    os.close(lifeline)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"] or ".")
    wanted = os.environ.get("PYTHONPATH", "").split(os.pathsep)  # Python has read the server's, long ago
    sys.path += [entry for entry in wanted if entry and entry not in sys.path]


def _reseed() -> None:
    """Forks of one process would all draw the same numbers."""
    import random

    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    if torch := sys.modules.get("torch"):
        torch.seed()
        # torch read OMP_NUM_THREADS when it was imported, in the server.
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "") or torch.get_num_threads()))


def _function(name: str) -> Callable[[], object]:
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
