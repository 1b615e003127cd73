"""Run a batch: what is missing or failed, in parallel, until all is done or somebody stops it."""

import heapq
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.runs.batch.plan import BatchPlan, PlannedRun, plan_batch
from k2c.runs.batch.pool import LocalPool, Pool
from k2c.runs.batch.store import Store
from k2c.runs.execution.execute import DATA_CHANGED, Run
from k2c.runs.execution.seen import Step

if TYPE_CHECKING:
    from k2c.runs.batch.search import Search

# A claim that does not hold fails again, and so does a limit; what else fails may be an accident.
_FINAL_CAUSES = ("GuardError", "ParameterError", "TrainingDiverged", DATA_CHANGED)
_LONGEST_PAUSE = 60.0
_SECONDS_TO_END = 5.0


@dataclass
class BatchProgress:
    """How far a batch is.

    Attributes
    ----------
    plan
        What is to be run.
    counts
        Number of runs by status, those of earlier batches in the folder included.
    running
        Where the runs in flight are, by id.
    since
        When it started, by `time.monotonic`.
    finished
        Runs that ended since.
    retried
        Attempts that failed and are repeated.
    stopped
        Whether somebody stopped it.
    damaged
        What is damaged of runs that had ended well, which run again: a sentence by id.
    end
        Why a search ended before it had all its runs, in a sentence.
    on_end
        Called with every run that has ended.
    on_epoch
        Called with a run's id and what `fit` measured after an epoch, by the thread that follows the run.
    """

    plan: BatchPlan
    counts: Counter[str] = field(default_factory=Counter)
    running: dict[str, tuple[PlannedRun, float, Step | None]] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)
    finished: int = 0
    retried: int = 0
    stopped: bool = False
    damaged: dict[str, str] = field(default_factory=dict)
    end: str = ""
    on_end: Callable[[PlannedRun, Run], None] = lambda planned, run: None
    on_epoch: Callable[[str, Mapping[str, float]], None] = lambda run, row: None

    @property
    def left(self) -> int:
        """The number of runs that are still to be done."""
        return self.plan.most_runs - self.counts.total()

    @property
    def succeeded(self) -> bool:
        """Whether every run went through, or was ended by the search as planned."""
        return self.counts["ok"] + self.counts["pruned"] == len(self.plan.runs)

    def listen(self, run: Run, step: Step) -> None:
        """Take down where a run is."""
        if step.epoch is not None:
            self.on_epoch(run.id, step.epoch)
        planned, since, _ = self.running.get(run.id, (None, 0.0, None))
        if planned:
            self.running[run.id] = (planned, since, step)

    def rate(self) -> float:
        """Return the number of runs per second since the start."""
        return self.finished / max(time.monotonic() - self.since, 1e-9)


@dataclass
class _Flight:
    index: int
    attempt: int
    run: Run


class Scheduler:
    """Keeps a pool busy with the runs of a plan that the folder does not have yet, and those that a search adds."""

    def __init__(self, plan: BatchPlan, store: Store, progress: BatchProgress) -> None:
        self._plan, self._store, self._progress = plan, store, progress
        self._search = _search(plan, store)
        self._epochs: deque[tuple[str, Mapping[str, float]]] = deque()
        if self._search:
            progress.on_epoch = lambda run, row: self._epochs.append((run, row))
        self._pool: Pool
        self._retries = plan.limits.retries
        self._flying: dict[Future[Any], _Flight] = {}
        # (when it may start, place in the table, which attempt)
        self._waiting: list[tuple[float, int, int]] = []
        for index, planned in enumerate(plan.runs):
            facts = store.facts(planned.id) or {}
            if damage := store.damage(planned.id):
                progress.damaged[planned.id] = damage
            done = ("ok", "pruned") if plan.search else ("ok",)
            if facts.get("status") in done and not damage:
                progress.counts[facts["status"]] += 1
            else:
                heapq.heappush(self._waiting, (0.0, index, 1))

    @property
    def left(self) -> int:
        """The number of runs to do; what a search may still propose counts as one."""
        more = self._search is not None and not self._search.over
        return len(self._waiting) + len(self._flying) + more

    @property
    def end(self) -> str:
        """Why a search ended before it had all its runs, in a sentence."""
        return self._search.end if self._search else ""

    def work(self, pool: Pool) -> None:
        """Work until nothing is left; Ctrl-C ends what runs and keeps it as interrupted.

        Raises
        ------
        StorageError
            When the folder takes nothing more; what runs is ended.
        """
        self._pool = pool
        try:
            while self.left:
                self._start_some()
                self._collect_some(0.25)
        except KeyboardInterrupt:
            self._progress.stopped = True
            self._drain()
        except BaseException:
            self._drain()
            raise

    def _start_some(self) -> None:
        while len(self._flying) < self._pool.slots and (self._is_due() or self._propose()):
            _, index, attempt = heapq.heappop(self._waiting)
            planned = self._plan.runs[index]
            run = Run(
                self._plan.lecture,
                self._plan.title,
                planned.profile,
                planned.parameters,
                planned.data,
                attempts=attempt,
            )
            self._progress.running[planned.id] = (planned, time.monotonic(), None)
            self._flying[self._pool.submit(run)] = _Flight(index, attempt, run)

    def _is_due(self) -> bool:
        return bool(self._waiting) and self._waiting[0][0] <= time.monotonic()

    def _propose(self) -> bool:
        """Let the search add a setting; it stands in the folder's plan before it runs."""
        if self._search is None or self._search.over:
            return False
        before = len(self._plan.runs)
        for index, _ in enumerate(self._search.ask(), start=before):
            heapq.heappush(self._waiting, (0.0, index, 1))
        self._store.write_plan(self._plan)
        return self._is_due()

    def _prune(self) -> None:
        while self._epochs:
            run, row = self._epochs.popleft()
            if self._search and run in self._progress.running and self._search.hopeless(run, row):
                self._pool.prune(run)

    def _collect_some(self, seconds: float) -> None:
        self._prune()
        if not self._flying:
            pause = self._waiting[0][0] - time.monotonic() if self._waiting else 0
            time.sleep(min(max(pause, 0), seconds))
            return
        for future in wait(self._flying, seconds, FIRST_COMPLETED).done:
            flight = self._flying.pop(future)
            self._collect(flight, self._pool.collect(future, flight.run))

    def _collect(self, flight: _Flight, run: Run) -> None:
        self._progress.running.pop(self._plan.runs[flight.index].id, None)
        if flight.attempt <= self._retries and _may_be_an_accident(run):
            pause = min(2 ** (flight.attempt - 1), _LONGEST_PAUSE) * random.uniform(0.75, 1.25)
            heapq.heappush(self._waiting, (time.monotonic() + pause, flight.index, flight.attempt + 1))
            self._progress.retried += 1
            return
        self._progress.counts[run.status] += 1
        self._progress.finished += 1
        if self._search:
            id = self._plan.runs[flight.index].id
            self._search.tell(id, run.status, run.seconds, self._store.metrics(id))
        self._progress.on_end(self._plan.runs[flight.index], run)

    def _drain(self) -> None:
        """End what runs, and wait until it is stored; what does not answer is left, for `resume` to do again."""
        self._waiting.clear()
        self._retries, self._search = 0, None
        until = time.monotonic() + _SECONDS_TO_END
        while self._flying and time.monotonic() < until:
            for future in [future for future in self._flying if future.cancel()]:
                self._flying.pop(future)
            self._pool.stop()  # again and again: a run that was about to start has started meanwhile
            try:
                self._collect_some(0.5)
            except Exception:  # a second thing that cannot be stored; the first is being reported
                continue


def _may_be_an_accident(run: Run) -> bool:
    return run.status in ("failed", "crashed") and not run.cause.startswith(_FINAL_CAUSES)


def _search(plan: BatchPlan, store: Store) -> "Search | None":
    if plan.search is None:
        return None
    try:
        from k2c.runs.batch.search import Search
    except ImportError as error:
        raise K2CError(f"A search needs Optuna. Install it with: {pip_install('[batch]')}") from error
    return Search(plan, store)


def run_batch(
    path: Path,
    out: Path,
    workers: int | None = None,
    cluster: str = "",
    show: Callable[[BatchProgress], AbstractContextManager[Any]] = nullcontext,
    at_end: Callable[[], None] = lambda: None,
) -> BatchProgress:
    """Run what a batch's folder does not have yet, and return how far it came.

    Parameters
    ----------
    path
        The batch file.
    out
        The folder. Runs that ended well stay; all others are run.
    workers
        Runs at a time.
    cluster
        Where to run: nothing for this process, else see `k2c.runs.batch.cluster.ClusterPool`.
    show
        Shows the progress while the block that it opens lasts.
    at_end
        Called when nothing runs any more, whatever happened, while the folder is still held.

    Raises
    ------
    K2CError
        When the file is wrong, another batch runs in the folder, or it takes nothing.
    """
    plan, store = plan_batch(path, out), Store(out)
    progress = BatchProgress(plan)
    with store.opened(plan), ExitStack() as ending:
        ending.callback(at_end)
        scheduler = Scheduler(plan, store, progress)
        if scheduler.left:
            with closing(_pool(plan, out, workers, cluster, progress)) as pool, show(progress):
                scheduler.work(pool)
        progress.end = scheduler.end
    return progress


def _pool(plan: BatchPlan, out: Path, workers: int | None, cluster: str, progress: BatchProgress) -> Pool:
    limits = plan.limits.limits()
    if not cluster:
        return LocalPool(plan.lecture, out, workers, limits, progress.listen)
    try:
        from k2c.runs.batch.cluster import ClusterPool
    except ImportError as error:
        raise K2CError(f"--cluster needs Dask. Install it with: {pip_install('[cluster]')}") from error
    return ClusterPool(cluster, out, workers, limits, progress.on_epoch)
