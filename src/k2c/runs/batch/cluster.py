"""Runs on other machines: workers of Dask distributed, which looks after lost ones and has a dashboard.

A worker needs this package, of the same source, and the course; it needs no folder in common with this machine, but for
data of one's own, which is expected under the same path: a run is made in a temporary folder there, and its files come
back as the task's result.
"""

import contextlib
import importlib
import json
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from functools import cache, partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from distributed import Client, KilledWorker, LocalCluster, Nanny, SpecCluster, get_worker

from k2c._system.forkserver import ForkServer
from k2c._system.machine import usable_cores
from k2c._system.yaml_file import read_yaml
from k2c.errors import K2CError
from k2c.runs.batch.pool import fork_server, shared_cores
from k2c.runs.batch.store import storage
from k2c.runs.execution.execute import Run, execute_run, keep_failure, place_run
from k2c.runs.execution.limits import Limits, Watch
from k2c.runs.execution.own_data import changed_since
from k2c.runs.execution.seen import Step

CONNECT_SECONDS = 10
_EPOCHS = "k2c-epochs"
_ANSWER_SECONDS = 3.0  # for workers to answer when all is ending
_CHECK_SECONDS = 5.0  # between two looks whether jobs of a queue are still there


class ClusterPool:
    """Executes runs on a Dask cluster; a run whose worker is lost is done by another.

    Parameters
    ----------
    where
        `local` (processes of this machine), the address of a scheduler, or a set-up file: YAML with `class` (such as
        `dask_jobqueue.SLURMCluster`), `options` for it, and the number of `workers`.
    out
        The batch's folder, on this machine.
    workers
        How many worker processes `local` starts; as many as there are cores by default.
    limits
        What a run may take.
    listen
        Told a run's id and what `fit` measured after an epoch.
    """

    def __init__(
        self,
        where: str,
        out: Path,
        workers: int | None,
        limits: Limits,
        listen: Callable[[str, Mapping[str, float]], None] = lambda run, row: None,
    ) -> None:
        self._out, self._limits = out, limits
        self._cluster, self._wanted = _start(where, workers)
        self._checked = time.monotonic()
        try:
            self.client = Client(self._cluster or where, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise K2CError(
                f"No Dask scheduler answers at {where}: {error}. An address looks like tcp://host:8786; "
                "start one with: dask scheduler"
            ) from error
        self.client.subscribe_topic(_EPOCHS, lambda event: listen(*event[1]))
        self._executor = self.client.get_executor(pure=False)

    @property
    def slots(self) -> int:
        """The number of runs at a time: the threads of all workers that are here now.

        A job of a queue that somebody has cancelled, or whose machine is gone, is asked for again.
        """
        if self._wanted and time.monotonic() > self._checked + _CHECK_SECONDS:
            with contextlib.suppress(RuntimeError, OSError, TimeoutError):  # the queue takes none now
                _ask_for(self._cluster, self._wanted)
            self._checked = time.monotonic()
        return max(1, sum(self.client.nthreads().values()))

    def submit(self, run: Run) -> "Future[dict[str, bytes]]":
        """Send a run to the cluster; the future has the files of its folder."""
        return self._executor.submit(execute_there, run, run.id, self._limits)

    def collect(self, future: "Future[dict[str, bytes]]", run: Run) -> Run:
        """Store what came back, and return the run as it ended.

        Raises
        ------
        K2CError
            When a worker has other source than this machine, or the result could not be stored.
        """
        try:
            files = future.result()
        except KilledWorker as error:
            run.status, run.cause, run.error = "crashed", "its workers were lost", str(error)
        except CancelledError:
            run.status = run.cause = run.error = "interrupted"
        else:
            with storage(self._out):
                place_run(files, self._out, run.id)
            facts = json.loads(files["run.json"])
            run.status, run.cause, run.error = facts["status"], facts["cause"], facts["error"]
            run.seconds = facts["seconds"]
            return run
        with storage(self._out):
            return keep_failure(run, self._out)

    def stop(self) -> None:
        """End what runs now, as interrupted."""
        for nanny in self._nannies():
            nanny.close_gracefully()  # a signal to all processes ends workers, too: no new ones now
        self._end("interrupted", "")

    def prune(self, run: str) -> None:
        """End one run, by its id, as pruned, wherever it is."""
        self._end("pruned", run)

    def _end(self, reason: str, run: str) -> None:
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):  # workers that are gone do not answer
            end = partial(self.client._run, Watch.end_all, reason, run, on_error="ignore")
            self.client.sync(end, callback_timeout=_ANSWER_SECONDS)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends, whether its workers answer or not."""
        for nanny in self._nannies():
            nanny.close_gracefully()  # starts no other worker for this one
            with contextlib.suppress(OSError, TypeError):  # it has ended, or never begun
                os.kill(nanny.pid, signal.SIGKILL)  # to ask it takes many seconds, and its work is done
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            self.client.close(_ANSWER_SECONDS)
            if self._cluster:
                self._cluster.close(_ANSWER_SECONDS)

    def _nannies(self) -> list[Nanny]:
        """Return what looks after the workers of a cluster of this machine."""
        workers = self._cluster.workers.values() if self._cluster else ()
        return [worker for worker in workers if isinstance(worker, Nanny)]


def execute_there(run: Run, expected: str, limits: Limits) -> dict[str, bytes]:
    """Execute a run on a worker and return the files of its folder."""
    worker = get_worker()
    if run.id != expected:
        raise K2CError(
            f"The worker {worker.name} has another version of the lecture or of this package than the machine that "
            "sent it a run. Bring both to the same version."
        )
    if changed := changed_since(run.data):
        raise K2CError(f"The worker {worker.name} does not see the same data. {changed}")
    run.worker = str(worker.name)
    environment = shared_cores(worker.state.nthreads)

    def listen(step: Step) -> None:
        if step.epoch is not None:
            worker.log_event(_EPOCHS, (run.id, dict(step.epoch)))

    with tempfile.TemporaryDirectory(prefix="k2c-run-") as name:
        execute_run(run, Path(name), listen, limits, _server(run.lecture), environment)
        return {file.name: file.read_bytes() for file in (Path(name) / run.id).iterdir()}


@cache
def _server(lecture: str) -> ForkServer | None:
    """Return this worker's fork server: one for all its runs of a lecture."""
    return fork_server(lecture, shared_cores(get_worker().state.nthreads))


def dask_setup(worker: Any) -> None:
    """Leave Ctrl-C, which reaches every process of the terminal, to the command: Dask calls this in each worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _keep_tracker() -> None:
    """Start multiprocessing's own helper so that a closed terminal does not end it: others would complain of that."""
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is None or threading.current_thread() is not threading.main_thread():
        return
    before = signal.signal(hang_up, signal.SIG_IGN)
    try:
        resource_tracker.ensure_running()
    finally:
        signal.signal(hang_up, before)


def _start(where: str, workers: int | None) -> tuple[Any, int]:
    """Return the cluster to start, None for an address, where one runs already; and how many workers to ask it for."""
    if where == "local":
        _keep_tracker()
        cluster = LocalCluster(
            n_workers=workers or usable_cores(),
            threads_per_worker=1,
            dashboard_address="127.0.0.1:0",
            preload=__name__,
            silence_logs=logging.CRITICAL,  # workers that end with the batch complain of lost connections
        )
        return cluster, 0  # a worker that ends is started again by its nanny
    path = Path(where)
    if path.suffix not in (".yml", ".yaml"):
        return None, 0
    made: Any = None
    try:
        setup = read_yaml(path)
        module, _, name = setup["class"].rpartition(".")
        wanted = int(workers or setup.get("workers", 1))
        with _same_ctrl_c():
            kind = getattr(importlib.import_module(module), name)
        made = kind(**setup.get("options", {}))
        _ask_for(made, wanted)
    except (OSError, KeyError, TypeError, AttributeError, ImportError, ValueError, RuntimeError) as error:
        if made:
            with contextlib.suppress(AssertionError):  # Dask's, on jobs that were refused
                made.close(_ANSWER_SECONDS)
        raise K2CError(
            f"{path} does not set up a cluster. It has the entries class, such as dask_jobqueue.SLURMCluster, options "
            f"for it, and workers, their number. {type(error).__name__}: {str(error).strip()}"
        ) from error
    return made, wanted


@contextlib.contextmanager
def _same_ctrl_c() -> Iterator[None]:
    """Keep what Ctrl-C does: the import of dask_jobqueue has it end the process at once, as if all were done."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)


def _ask_for(cluster: Any, workers: int) -> None:
    """Have so many workers; raises what a queue answers that takes no job."""
    if not isinstance(cluster, SpecCluster):
        cluster.scale(workers)
        return

    async def ask() -> None:
        cluster.scale(workers)  # which only notes it, and a later error would be printed
        await cluster._correct_state()

    logging.getLogger("tornado.application").setLevel(logging.CRITICAL)  # prints the same error
    cluster.sync(ask)
