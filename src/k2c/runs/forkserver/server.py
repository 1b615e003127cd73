"""The process that forks kernels. It imports first, then answers requests; run by `client.ForkServer`.

It must stay a process of one thread that has run no torch operation: a fork copies only the thread that calls it,
and a pool of threads that was there before is gone in the child while its locks may still be held.
"""

import contextlib
import gc
import importlib
import io
import json
import os
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

ALWAYS = (
    "torch",
    "matplotlib.pyplot",
    "ipykernel.kernelapp",
    "matplotlib_inline.backend_inline",
    "k2c.lecture",
)


def main() -> None:
    """Serve until the client's end of the connection, given as a file descriptor, is closed."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    # Ctrl-C reaches every process of the terminal; it is for the client to end the kernels.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.path and sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]  # put there by `python -m`; a kernel does without
    preload(json.loads(sys.argv[2]))
    gc.collect()
    gc.freeze()  # the collector leaves what was imported alone, so its pages stay shared
    Server(connection).serve()


def preload(modules: list[str]) -> None:
    """Import what kernels will import, and draw a picture so that the fonts are found once."""
    for module in (*ALWAYS, *modules):
        # What cannot be imported here fails in the notebook's own cell, where a reader sees it.
        with contextlib.suppress(Exception):
            if module.partition(".")[0] == "torchvision":
                from k2c.torchvision_compat import import_torchvision

                import_torchvision()
            importlib.import_module(module)
    _draw()


def _draw() -> None:
    from matplotlib import pyplot

    from k2c.display.style import use_style

    with pyplot.rc_context():
        use_style()
        figure, axes = pyplot.subplots(figsize=(2, 1))
        axes.set(title="title", xlabel="$x^2$", ylabel=r"$\times 10^{-3}$")
        axes.semilogy([1, 10], [1, 100], label="line")
        axes.legend()
        figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")
        pyplot.close(figure)


class Server:
    """Forks a kernel for each request, and tells when one ends.

    Requests and answers are lines of JSON. In: `{"argv": [...], "cwd": ..., "env": {...}, "output": path or null}`.
    Out: `{"pid": number}` for a request, in their order, and `{"exited": pid, "code": number}` for an end.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._children: set[int] = set()
        self._wake, self._woken = socket.socketpair()

    def serve(self) -> None:
        """Answer until the client hangs up; then kill what still runs."""
        for end in (self._wake, self._woken):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._woken.fileno())
        selector = selectors.DefaultSelector()
        selector.register(self._connection, selectors.EVENT_READ)
        selector.register(self._wake, selectors.EVENT_READ)
        self._tell({"ready": os.getpid()})
        received = b""
        with contextlib.suppress(ConnectionError):
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
            become_kernel(request)
        self._children.add(pid)
        self._tell({"pid": pid})

    def _reap(self) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._children.discard(pid)
                self._tell({"exited": pid, "code": os.waitstatus_to_exitcode(status)})

    def _end(self) -> None:
        for pid in self._children:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


def become_kernel(request: dict[str, Any]) -> NoReturn:
    """Turn a fresh fork into a kernel, run it, and leave without the server's clean-up."""
    code = 1
    try:
        _take_place(request)
        _reseed()
        from ipykernel.kernelapp import IPKernelApp

        # The app watches for its parent's end by itself.
        kernel = IPKernelApp.instance(parent_handle=os.getppid())
        kernel.initialize(request["argv"])
        kernel.start()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.__stdout__, sys.__stderr__):
            with contextlib.suppress(Exception):
                stream.flush()  # type: ignore[union-attr]
        os._exit(code)


def _take_place(request: dict[str, Any]) -> None:
    """Give the process a group, an environment, a folder and streams of its own."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    output = os.open(request["output"] or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    source = os.open(os.devnull, os.O_RDONLY)
    for descriptor, standard in ((source, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, standard)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"] or ".")


def _reseed() -> None:
    """Forks of one process would all draw the same numbers."""
    import random

    import numpy as np
    import torch

    random.seed()
    np.random.seed()  # noqa: NPY002 - libraries that use the global generator draw from it too
    torch.seed()
    # torch read OMP_NUM_THREADS when it was imported, in the server.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "") or torch.get_num_threads()))


if __name__ == "__main__":
    main()
