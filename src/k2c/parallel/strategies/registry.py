"""`train`: one call for every way to share the work, and the register of the ways."""

import importlib
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from k2c._system.atomic import atomic_path
from k2c._system.plain_file import read_json
from k2c.errors import K2CError, unknown
from k2c.parallel.job import Job
from k2c.parallel.strategies.options import AllReduceOptions, Options, make_options
from k2c.parallel.workers.supervise import Watcher
from k2c.training import History

if TYPE_CHECKING:
    from k2c.parallel.workers.view import LiveView

# (job, workers, the run's folder, options, watchers) -> history
Runner = Callable[[Job, int, Path, Any, Sequence[Watcher]], History]

# Modules that register strategies, in the order in which `all_strategies` lists them. They import without extras.
_MODULES = (
    "k2c.parallel.strategies.single",
    "k2c.parallel.strategies.all_reduce",
    "k2c.parallel.strategies.parameter_server.strategy",
    "k2c.parallel.strategies.spark.strategy",
    "k2c.parallel.strategies.mpi.strategy",
    "k2c.parallel.strategies.horovod.strategy",
)


@dataclass(frozen=True)
class Strategy:
    """One way to share the work.

    Attributes
    ----------
    name, summary
        What `train` takes, and what it is in a sentence.
    run
        Trains.
    options
        The class of its options.
    missing
        Returns the sentence that says what to install, or None where everything is there.
    """

    name: str
    summary: str
    run: Runner
    options: type[Options]
    missing: Callable[[], str | None] = lambda: None

    @property
    def installed(self) -> bool:
        """Whether everything that it needs is there."""
        return self.missing() is None


_strategies: dict[str, Strategy] = {}


def register(strategy: Strategy) -> Strategy:
    """Add a strategy to the register."""
    _strategies[strategy.name] = strategy
    return strategy


def all_strategies() -> list[Strategy]:
    """Return all strategies; `installed` says which can run here, and `missing()` what to install for others."""
    for module in _MODULES:
        importlib.import_module(module)
    return list(_strategies.values())


def train(
    strategy: str,
    job: Job,
    workers: int = 2,
    *,
    folder: str | Path | None = None,
    progress: bool = False,
    watch: Watcher | None = None,
    **options: Any,
) -> History:
    """Train a job with several workers and return what was measured.

    Parameters
    ----------
    strategy
        The name of one of `all_strategies()`.
    job
        What is trained.
    workers
        How many processes share each step. Each takes `batch_size` examples a step.
    folder
        Where checkpoints, the history and the log stay. A run that was cut off goes on from the checkpoint
        there. Nothing is kept when this is left out.
    progress
        Whether to show one live line a worker.
    watch
        Called several times a second with a `WorkerState` a worker.
    options
        See the strategy's `options`.

    Returns
    -------
    History
        As `training.fit` returns it, over the examples of all workers, and with their number as `examples`.

    Raises
    ------
    WorkerError
        When a worker fails, dies or hangs; all the others have ended then.
    K2CError
        For a name or a value that is not allowed, and where something must be installed first.
    """
    known = {entry.name: entry for entry in all_strategies()}
    if strategy not in known:
        raise K2CError(unknown("strategy", strategy, known))
    chosen = known[strategy]
    if missing := chosen.missing():
        raise K2CError(missing)
    if workers < 1:
        raise K2CError(f"workers is {workers}. It must be 1 or more.")
    checked = make_options(chosen.options, strategy, options)
    with ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="k2c-run-")))
        prepare_folder(place, job, checked)
        view = stack.enter_context(_view(workers) if progress else nullcontext())
        watchers = [watcher for watcher in (view, watch) if watcher is not None]
        return chosen.run(job, workers, place.resolve(), checked, watchers)


def write_plan(folder: str | Path, job: Job, **options: Any) -> Path:
    """Write a run's folder for workers that something else starts, and return it.

    With a shared disk, each of these then trains the job by all-reduce, and worker 0 leaves `history.json`
    and the checkpoints in the folder: `mpirun -n 4 python -m k2c.parallel FOLDER`,
    `srun --ntasks=8 python -m k2c.parallel FOLDER`, `torchrun --nproc-per-node=2 -m k2c.parallel FOLDER`.

    Parameters
    ----------
    folder
        The run's folder; a run that was cut off goes on from its checkpoint.
    job, options
        As for `train("all_reduce", job, ...)`.
    """
    place = Path(folder)
    prepare_folder(place, job, make_options(AllReduceOptions, "all_reduce", options))
    return place


def prepare_folder(folder: Path, job: Job, options: Options) -> None:
    """Write what the workers read, and take away what an earlier run left, but not its checkpoints.

    Raises
    ------
    K2CError
        When the folder holds checkpoints of another job, or its `run.json` is damaged.
    """
    plan, checkpoints = folder / "run.json", folder / "checkpoints"
    if plan.is_file() and checkpoints.is_dir() and (old := _planned(plan)) != job.to_json():
        raise K2CError(
            f"{folder} holds the checkpoints of another job ({old['experiment']}, {old['parameters']}). Choose "
            "another folder, or delete this one."
        )
    for path in (folder / "messages").glob("*"):
        path.unlink()
    (folder / "history.json").unlink(missing_ok=True)
    with atomic_path(plan) as part:
        part.write_text(json.dumps({"job": job.to_json(), "options": vars(options)}))


def _planned(plan: Path) -> dict[str, Any]:
    try:
        old = read_json(plan)["job"]
        return {name: old[name] for name in ("experiment", "parameters", "module")}
    except (ValueError, KeyError, TypeError) as error:
        raise K2CError(
            f"{plan} is damaged, so it is not known whose checkpoints lie beside it. Choose another folder; or delete "
            f"{plan} if they are of the same job, and they are used."
        ) from error


def read_history(folder: Path) -> History:
    """Return the history that worker 0 wrote into the run's folder."""
    return History.from_json((folder / "history.json").read_text())


def _view(workers: int) -> "LiveView":
    from k2c.parallel.workers.view import LiveView

    return LiveView(workers)
