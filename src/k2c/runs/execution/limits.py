"""Limits on a run's time and memory, kept on the processes of its kernel."""

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

from k2c._system.machine import memory_of
from k2c.runs.execution.seen import Execution

SAMPLE_SECONDS = 0.2
REST = 100  # times as long as reading their own memory took: the processes stand still meanwhile
GRACE_SECONDS = 5.0  # for a cell that was interrupted to say where it was


@dataclass(frozen=True)
class Limits:
    """What a run may take.

    Attributes
    ----------
    seconds
        Wall time from the start of the kernel; None is unlimited.
    memory
        Bytes of its processes together; None is unlimited. What forked processes share is not counted.
    """

    seconds: float | None = None
    memory: int | None = None


class Watch:
    """Follows an execution while the block runs: measures its memory, and ends it at a limit or when told to.

    Attributes
    ----------
    ended
        Why it ended the execution: `timed out`, `out of memory`, `interrupted`, `pruned`, or nothing.
    peak
        The most memory seen, in bytes; None when nothing was measured.
    """

    _running: set["Watch"] = set()  # noqa: RUF012 - every watch of this process

    def __init__(self, execution: Execution, limits: Limits, name: str = "") -> None:
        self.name = name
        self.ended = ""
        self.peak: int | None = None
        self._execution, self._limits = execution, limits
        self._over = threading.Event()
        self._seen: set[psutil.Process] = set()
        self._thread = threading.Thread(target=self._follow, name="k2c watch", daemon=True)

    def __enter__(self) -> Self:
        Watch._running.add(self)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._execution.started.set()  # it may never have started
        self._thread.join()
        Watch._running.discard(self)
        self._kill()  # what the kernel left behind

    @classmethod
    def end_all(cls, reason: str = "interrupted", name: str = "") -> None:
        """End every execution that is followed in this process, or those of one name, for this reason."""
        for watch in list(cls._running):
            if name in ("", watch.name):
                watch.end(reason)

    def end(self, reason: str) -> None:
        """End the execution now, for this reason."""
        self.ended = self.ended or reason
        self._kill()

    def _follow(self) -> None:
        self._execution.started.wait()
        start, due = time.monotonic(), 0.0
        while not self._over.wait(SAMPLE_SECONDS):
            if self.ended:
                self._kill()  # told to end before its kernel had started
                continue
            self._find()
            now = time.monotonic()
            if now >= due or self._may_be_full():
                used = memory_of(self._seen, "uss")
                self.peak = max(self.peak or 0, used) or None
                due = now + (1 + REST) * (time.monotonic() - now)
                if self._limits.memory and used > self._limits.memory:
                    self.end("out of memory")
                    continue
            if self._limits.seconds and time.monotonic() - start > self._limits.seconds:
                self._time_over()

    def _time_over(self) -> None:
        self.ended = "timed out"
        with contextlib.suppress(OSError):  # an interrupted cell shows the line that it was at
            os.kill(self._execution.kernel.pid, signal.SIGINT)
        if not self._over.wait(GRACE_SECONDS):
            self._kill()

    def _find(self) -> None:
        """Look for the kernel and its descendants, which may have left it since, and forget those that ended."""
        kernel = self._execution.kernel
        with contextlib.suppress(psutil.Error):
            if kernel and kernel.poll() is None:  # else its number may be another process's by now
                process = psutil.Process(kernel.pid)
                self._seen |= {process, *process.children(recursive=True)}
        self._seen = {process for process in self._seen if process.is_running()}

    def _may_be_full(self) -> bool:
        """Tell whether resident memory, which is quick to read and counts what is shared too, is over the limit."""
        return bool(self._limits.memory) and memory_of(self._seen, "rss") > (self._limits.memory or 0)

    def _kill(self) -> None:
        self._find()
        for process in self._seen:
            with contextlib.suppress(psutil.Error):
                process.kill()
