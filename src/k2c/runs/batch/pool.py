"""Runs on this machine: threads of one process, each driving a kernel of its own."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from k2c._system.forkserver import ForkServer, can_fork
from k2c._system.machine import usable_cores
from k2c.course.syllabus import load_syllabus
from k2c.runs.batch.store import storage
from k2c.runs.execution.execute import Run, execute_run
from k2c.runs.execution.forked_kernel import kernel_server
from k2c.runs.execution.limits import Limits, Watch
from k2c.runs.execution.seen import Step
from k2c.runs.execution.source import imported_modules

# Their import starts threads or opens devices that do not survive a fork; kernels import them themselves.
_AFTER_FORK = ("pyopencl", "k2c.kernels", "k2c.parallel", "pyspark", "mpi4py", "dask", "distributed")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Listen = Callable[[Run, Step], None]


class Pool(Protocol):
    """Where runs are executed."""

    @property
    def slots(self) -> int:
        """Runs at a time."""

    def submit(self, run: Run) -> "Future[Any]":
        """Start a run."""

    def collect(self, future: "Future[Any]", run: Run) -> Run:
        """Return what became of it, once it has ended and is stored."""

    def stop(self) -> None:
        """End what runs now, as interrupted."""

    def prune(self, run: str) -> None:
        """End one run, by its id, as pruned."""

    def close(self) -> None:
        """Let go of everything."""


class LocalPool:
    """Executes runs into a folder, `slots` at a time.

    Several papermill processes may choose the same port; threads of one process share its list of ports.

    Parameters
    ----------
    lecture
        What is run; its imports are made once, before kernels are forked.
    out
        The batch's folder.
    workers
        Runs at a time, as many as there are cores by default. They share the cores: each has cores / workers threads.
    limits
        What a run may take.
    listen
        Told where each run is.
    """

    def __init__(
        self,
        lecture: str,
        out: Path,
        workers: int | None,
        limits: Limits,
        listen: Listen = lambda *seen: None,
    ) -> None:
        self.slots = workers or usable_cores()
        self._out, self._limits, self._listen = out, limits, listen
        self._environment = shared_cores(self.slots)
        self._server = fork_server(lecture, self._environment)
        self._threads = ThreadPoolExecutor(self.slots, thread_name_prefix="k2c run")
        if self._server:  # beside it, the first run gets ready; one that does not start says so there
            self._threads.submit(self._server.start)

    def submit(self, run: Run) -> "Future[Run]":
        """Execute a run; the future has it finished, and its folder is in place."""
        return self._threads.submit(self._execute, run)

    def collect(self, future: "Future[Run]", run: Run) -> Run:
        """Return a finished run.

        Raises
        ------
        StorageError
            When it could not be stored.
        """
        return future.result()

    def stop(self) -> None:
        """End what runs now, as interrupted."""
        Watch.end_all()

    def prune(self, run: str) -> None:
        """End one run, by its id, as pruned."""
        Watch.end_all("pruned", run)

    def close(self) -> None:
        """End the threads and the server."""
        self._threads.shutdown(cancel_futures=True)
        if self._server:
            self._server.close()

    def _execute(self, run: Run) -> Run:
        def listen(step: Step) -> None:
            self._listen(run, step)

        with storage(self._out):
            return execute_run(run, self._out, listen, self._limits, self._server, self._environment)


def fork_server(lecture: str, environment: dict[str, str]) -> ForkServer | None:
    """Return a server that forks kernels for a lecture, its imports made; None where kernels cannot be forked."""
    if not can_fork():
        return None
    modules = [name for name in imported_modules(lecture) if not name.startswith(_AFTER_FORK)]
    # What is in the cache is hashed once, not by each kernel.
    data = [f"k2c.datasets.fetching:is_cached {name}" for name in load_syllabus().lecture(lecture).data]
    return kernel_server([*modules, *data], environment)


def shared_cores(workers: int) -> dict[str, str]:
    """Return an environment in which each of several workers takes its part of the cores, unless it says otherwise."""
    threads = str(max(1, usable_cores() // workers))
    return {name: threads for name in _THREADS} | dict(os.environ)
