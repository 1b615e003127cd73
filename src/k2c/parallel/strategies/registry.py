"""`train`: one call for every way to share the work, and the list of the ways."""

import dataclasses
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from k2c._system.atomic import atomic_path
from k2c._system.plain_file import read_json
from k2c.errors import K2CError, unknown
from k2c.parallel.job import Job
from k2c.parallel.strategies.all_reduce import AllReduce
from k2c.parallel.strategies.horovod.strategy import Horovod
from k2c.parallel.strategies.mpi.strategy import Mpi
from k2c.parallel.strategies.parameter_server.strategy import ParameterServer
from k2c.parallel.strategies.single import Single
from k2c.parallel.strategies.spark.strategy import Spark
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.options import Options
from k2c.parallel.workers.watch import Watcher, live_view
from k2c.training import History


def all_strategies() -> list[Strategy[Any]]:
    """Return all strategies; `missing()` of each says what to install, or None where it can run here."""
    return [Single(), AllReduce(), ParameterServer(), Spark(), Mpi(), Horovod()]


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
        How many processes share each step. Each takes `batch_size` examples per step.
    folder
        Where checkpoints, the history and the log stay. A run that was cut off goes on from the checkpoint
        there. Nothing is kept when this is left out.
    progress
        Whether to show one live line per worker.
    watch
        Called several times a second with a `WorkerState` per worker.
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
    known = {each.name: each for each in all_strategies()}
    if strategy not in known:
        raise K2CError(unknown("strategy", strategy, known))
    chosen = known[strategy]
    if missing := chosen.missing():
        raise K2CError(missing)
    if workers < 1:
        raise K2CError(f"workers is {workers}. It must be 1 or more.")
    checked = make_options(chosen, options)
    with ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="k2c-run-")))
        prepare_folder(place, job, checked)
        watchers = [watch] if watch else []
        if progress:
            watchers.insert(0, stack.enter_context(live_view(workers)))
        chosen.run(job, workers, place.resolve(), checked, watchers)
        return History.from_json((place / "history.json").read_text())


def make_options(strategy: Strategy[Any], given: dict[str, Any]) -> Options:
    """Return the options of a strategy.

    Raises
    ------
    K2CError
        For an option that it does not have, or a value that is not allowed.
    """
    known = [field.name for field in dataclasses.fields(strategy.options)]
    for name in given:
        if name not in known:
            raise K2CError(unknown(f"option of {strategy.name!r}", name, known))
    return strategy.options(**given)


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
