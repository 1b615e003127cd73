"""The parent's part: start the workers, watch them, and end every process that is left."""

import os
import subprocess
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from k2c._system.advice import set_option
from k2c._system.forkserver import ForkedProcess
from k2c.errors import K2CError
from k2c.parallel.workers.messages import Mailbox, Pulse
from k2c.parallel.workers.start import Module, Program, child_environment

_MARK = "K2C_RUN"  # the variable by which a run's processes are known
_POLL = 0.1  # seconds between two looks
_START_UP = 180.0  # seconds that may pass until every worker's first batch
_GRACE = 5.0  # seconds to end in, before a process is killed
_AT_EXIT = 20.0  # seconds a launcher may take after its workers are done


class WorkerError(K2CError):
    """A worker failed, died or hung; the message says which and what to do.

    Attributes
    ----------
    rank
        The worker.
    details
        Its whole report, or the end of the log.
    """

    def __init__(self, message: str, rank: int | None = None, details: str = "") -> None:
        super().__init__(message)
        self.rank, self.details = rank, details


@dataclass(frozen=True)
class WorkerState:
    """What one worker does: `status` is `"starting"`, `"training"`, `"done"`, `"lost"` or `"error"`."""

    rank: int
    status: str = "starting"
    pid: int = 0
    attempt: int = 0
    epoch: int = 0
    batch: int = 0
    batches: int = 0
    marks: int = 0
    loss: float = float("nan")
    row: dict[str, Any] = field(default_factory=dict)


Watcher = Callable[[list[WorkerState]], object]
Process = ForkedProcess | subprocess.Popen[bytes]


def run_and_watch(
    program: Module | Program, folder: Path, workers: int, time_limit: float, watchers: Iterable[Watcher] = (),
    environment: Mapping[str, str] | None = None, servers: int = 0,
) -> None:  # fmt: skip
    """Run a launcher and its workers to their end.

    Parameters
    ----------
    program
        The launcher.
    folder
        The run's folder: `messages` are read there, `log.txt` takes what the processes print.
    workers
        How many report.
    time_limit
        Seconds without progress of any worker after which all are stopped.
    watchers
        Called with the state of all workers several times a second.
    environment
        Variables for the processes, on top of this process's own.
    servers
        Processes after the workers that hold the model; they are watched, but do not train.

    Raises
    ------
    WorkerError
        When a worker fails, dies more often than it may be restarted, or hangs. All the others have ended.
    """
    log, mark = folder / "log.txt", uuid.uuid4().hex
    watch = _Watch(Mailbox(folder / "messages"), workers, time_limit, list(watchers), log, servers)
    log.write_bytes(b"")
    process = program.start(log, child_environment() | dict(environment or {}) | {_MARK: mark})
    try:
        while watch.look() and process.poll() is None:
            time.sleep(_POLL)
        watch.settle(process)
    finally:
        _end_all(process, mark)


@contextmanager
def live_view(workers: int) -> Iterator[Watcher]:
    """Show a progress bar per worker while a context lasts: widgets in a notebook, lines of text in a terminal."""
    from tqdm.auto import tqdm

    bars = [tqdm(desc=f"worker {rank}: starting", position=rank, unit="batch") for rank in range(workers)]

    def show(states: list[WorkerState]) -> None:
        for state, bar in zip(states, bars, strict=True):
            restarted = f", restart {state.attempt}" if state.attempt else ""
            bar.set_description(f"worker {state.rank}: {state.status}{restarted}", refresh=False)
            if state.batches:
                bar.total = state.batches
                bar.n = state.batches if state.status == "done" else state.batch + 1
                loss = {} if state.loss != state.loss else {"loss": f"{state.loss:.4f}"}
                bar.set_postfix({"epoch": state.epoch + 1} | loss, refresh=False)
                bar.refresh()

    try:
        yield show
    finally:
        for bar in bars:
            bar.close()


class _Watch:
    """The state of the workers as far as it is known."""

    def __init__(
        self, mailbox: Mailbox, workers: int, time_limit: float, watchers: list[Watcher], log: Path,
        servers: int,
    ) -> None:  # fmt: skip
        self.mailbox, self.time_limit, self.watchers, self.log = mailbox, time_limit, watchers, log
        self.workers = workers
        self.states = [WorkerState(rank) for rank in range(workers + servers)]
        self.gave_up: dict[str, Any] | None = None
        self._progress: object = None
        self._since = time.monotonic()

    def look(self) -> bool:
        """Read what is new; False when all workers are done."""
        for event in self.mailbox.events():
            self._take(event)
        pulses = self.mailbox.pulses()
        for rank, pulse in pulses.items():
            if 0 <= rank < len(self.states) and pulse.attempt == self.states[rank].attempt:
                self._change(
                    rank, epoch=pulse.epoch, batch=pulse.batch, batches=pulse.batches, marks=pulse.marks,
                    loss=self.states[rank].loss if pulse.loss != pulse.loss else pulse.loss,
                )  # fmt: skip
        self._check_progress(pulses)
        for watcher in self.watchers:
            watcher(self.states[: self.workers])
        return any(state.status != "done" for state in self.states)

    def settle(self, process: Process) -> None:
        """Wait for the launcher, whose workers are done; or say why it ended before they were."""
        if all(state.status == "done" for state in self.states):
            try:
                process.wait(_AT_EXIT)
            except subprocess.TimeoutExpired:
                return
        if self.look():
            self._explain(process.poll())

    def _take(self, event: dict[str, Any]) -> None:
        kind, rank = event["event"], event["rank"]
        if kind == "gave up":
            self.gave_up = event
        if kind == "warning":
            warnings.warn(event["message"], stacklevel=2)
        if not 0 <= rank < len(self.states):
            if kind == "error":  # of the process that starts the workers
                raise WorkerError(event["message"], None, event["details"])
            return
        if kind == "start":
            self.states[rank] = WorkerState(rank, "training", event["pid"], event["attempt"])
        elif kind == "epoch":
            self._change(rank, row=event["row"])
        elif kind in ("done", "lost"):
            self._change(rank, status=kind)
        elif kind == "error":
            self._change(rank, status=kind)
            raise WorkerError(
                f"{self._name(rank)} stopped, and the others with it. {event['message']}",
                rank,
                event["details"],
            )

    def _name(self, rank: int) -> str:
        if rank >= self.workers:
            return f"Server {rank - self.workers} of {len(self.states) - self.workers}"
        return f"Worker {rank} of {self.workers}"

    def _change(self, rank: int, **what: Any) -> None:
        self.states[rank] = replace(self.states[rank], **what)

    def _check_progress(self, pulses: Mapping[int, Pulse]) -> None:
        now = (
            tuple((p.marks, p.time) for p in pulses.values()),
            tuple(state.status for state in self.states),
        )
        if now != self._progress:
            self._progress, self._since = now, time.monotonic()
        waiting = [state for state in self.states[: self.workers] if state.status in ("starting", "training")]
        started = all(state.marks for state in waiting)
        limit = self.time_limit if started else max(self.time_limit, _START_UP)
        if not waiting or time.monotonic() - self._since < limit:
            return
        least = min(state.marks for state in waiting)
        behind = [state for state in waiting if state.marks == least]
        who = self._name(behind[0].rank) if len(behind) == 1 else "Every worker that still runs"
        where = (
            f"in batch {behind[0].batch + 1} of epoch {behind[0].epoch + 1}"
            if least
            else "before its first batch"
        )
        raise WorkerError(
            f"{who} has hung for {limit:g} s {where}, while the others wait, so all were "
            "stopped. Look for an endless loop or a lock there; give more time with "
            f"{set_option('time_limit', 10 * limit)} if one step takes that long.",
            behind[0].rank if len(behind) == 1 else None,
            self._end_of_log(),
        )

    def _explain(self, status: int | None) -> None:
        rank, how = None, f"ended with status {status}"
        if self.gave_up is not None:
            rank, how = self.gave_up["worker"], f"ended with status {self.gave_up['status']}"
            if self.gave_up["status"] < 0:
                how = f"was killed ({self.gave_up['signal']})"
        silent = [state.rank for state in self.states if state.status == "training"]
        if rank is None and len(silent) == 1:  # the others said that they lost it
            rank, how = silent[0], "ended without a word"
        who = "The launcher" if rank is None else self._name(rank)
        restarted = max(state.attempt for state in self.states)
        again = f" after {restarted} restart{'' if restarted == 1 else 's'}" if restarted else ""
        log = self._end_of_log()
        if "EADDRINUSE" in log or "address already in use" in log.lower():
            raise WorkerError(
                "The port for the workers to meet at has been taken by another program meanwhile. Start again: "
                "another one is found.",
                rank,
                log,
            )
        raise WorkerError(
            f"{who} {how}{again}, so the training ended. A process that is killed has often run out of memory: "
            "try fewer workers or a smaller batch_size. What the processes printed is in the "
            f"error's `details`, and in {self.log.name} of the folder of the run, where one was named.",
            rank,
            log,
        )

    def _end_of_log(self, size: int = 4000) -> str:
        return self.log.read_text(errors="replace")[-size:]


def _end_all(process: Process, mark: str) -> None:
    """Ask the launcher to end, then kill what is left of it and of all that it started, whoever is its parent."""
    if process.poll() is None:
        process.terminate()
    if isinstance(process, subprocess.Popen) and process.stdin:
        process.stdin.close()  # the lifeline: whoever still reads it ends
    psutil.wait_procs(_of_run(process.pid, mark), timeout=_GRACE)
    while left := _of_run(process.pid, mark):  # again, for what was started meanwhile
        for one in left:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(left, timeout=_GRACE)
    process.wait()


def _of_run(launcher: int, mark: str) -> list[psutil.Process]:
    """Return the processes of a launcher's session, and those that inherited a run's mark in their environment.

    A fork shows the environment of the server that it was forked from, and a program can leave a session.
    """
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            forked = hasattr(os, "getsid") and os.getsid(process.pid) == launcher
            if (forked or process.environ().get(_MARK) == mark) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
