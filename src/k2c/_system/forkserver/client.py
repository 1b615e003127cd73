"""The client's side of the fork server: start it, ask it for processes, know when they end."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from k2c._system.machine import nvidia_gpus
from k2c.errors import K2CError

START_SECONDS = 300  # importing torch from a cold disk on a busy machine
_POLL = 0.02


@cache
def can_fork() -> bool:
    """Tell whether processes may be forked here: on Linux, and not beside CUDA, which a fork breaks.

    Windows cannot fork, and libraries of macOS break in a fork.
    """
    return sys.platform == "linux" and not nvidia_gpus()


class ForkServer:
    """One process that forks others; started at the first request, and again when it has died.

    Methods may be called from any thread.

    Parameters
    ----------
    modules
        Names of modules to import before the first fork, and `module:function` of functions to call, with words as
        their arguments after spaces.
    environment
        Its environment; `OMP_NUM_THREADS` there counts for the numerical libraries that it imports.
    """

    def __init__(self, modules: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> None:
        self._modules, self._environment = list(modules), dict(environment or os.environ)
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    def start(self) -> None:
        """Start the process if it does not run, and wait until it has imported everything."""
        with self._lock:
            self._connected()

    def fork(
        self,
        function: str,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: str | Path | None = None,
        output: Path | None = None,
        lifeline: bool = False,
    ) -> "ForkedProcess":
        """Fork a process, the first of a session of its own.

        Parameters
        ----------
        function
            What it runs, as `module:function`; the exit code is what that returns, 0 for None.
        argv
            Its arguments, `sys.argv[1:]`.
        env
            All of its environment.
        cwd
            The folder that it runs in; the server's when it is None.
        output
            The file that takes what it prints; nothing does when it is None.
        lifeline
            Whether its standard input closes when the server ends; it is empty otherwise.
        """
        request = {
            "function": function,
            "argv": list(argv),
            "env": dict(env),
            "cwd": str(cwd) if cwd else None,
            "output": str(output) if output else None,
            "lifeline": lifeline,
        }
        with self._lock:
            return self._connected().request(request)

    def close(self) -> None:
        """End the process and every process that it forked."""
        with self._lock:
            if self._connection:
                self._connection.close()
            self._connection = None

    def _connected(self) -> "_Connection":
        if self._connection is None or self._connection.lost.is_set():
            self._connection = _Connection(self._modules, self._environment)
        return self._connection


class ForkedProcess:
    """A forked process, as `subprocess.Popen` shows one."""

    def __init__(self, pid: int, connection: "_Connection") -> None:
        self.pid = pid
        self._connection = connection

    def poll(self) -> int | None:
        """Return the exit code (negative: the signal that killed it), or None while it runs."""
        code = self._connection.codes.get(self.pid)
        # With the server gone nobody can tell the code; its forks end with it.
        return -9 if code is None and self._connection.lost.is_set() else code

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return the exit code.

        Raises
        ------
        subprocess.TimeoutExpired
            When it still runs after `timeout` seconds.
        """
        start = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() > start + timeout:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(_POLL)
        return code


class _Connection:
    def __init__(self, modules: list[str], environment: dict[str, str]) -> None:
        self.codes: dict[int, int] = {}
        self.lost = threading.Event()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-m",
            "k2c._system.forkserver.server",
            str(theirs.fileno()),
            json.dumps(modules),
        ]
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._socket = ours
        threading.Thread(target=self._read, name="k2c fork server", daemon=True).start()
        self._answer(START_SECONDS)

    def request(self, request: dict[str, Any]) -> ForkedProcess:
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        return ForkedProcess(self._answer(60)["pid"], self)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # the reading thread still holds the socket open
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            answer = {}
        if not answer:
            self.close()
            raise K2CError(
                "The process that starts others ended or did not answer: the machine may be out of memory. End other "
                "programs and try again; a batch keeps what is done."
            )
        return answer

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    message = json.loads(line)
                    if "exited" in message:
                        self.codes[message["exited"]] = message["code"]
                        continue
                    self.codes.pop(message.get("pid", 0), None)  # the number of a process that ended long ago
                    self._answers.put(message)
        except (OSError, ValueError):
            pass  # closed on this side
        finally:
            self.lost.set()
            self._answers.put({})
