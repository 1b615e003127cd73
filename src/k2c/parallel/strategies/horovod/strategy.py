"""`horovod`: the five steps on Horovod itself, where somebody has built it (see course/horovod.md)."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from k2c.parallel.job import Job
from k2c.parallel.strategies.options import HorovodOptions
from k2c.parallel.strategies.registry import Strategy, read_history, register
from k2c.parallel.workers.messages import LIFELINE
from k2c.parallel.workers.start import launcher
from k2c.parallel.workers.supervise import Watcher, supervise
from k2c.training import History


def _run(
    job: Job, workers: int, folder: Path, options: HorovodOptions, watchers: Sequence[Watcher]
) -> History:
    program = launcher(
        sys.executable, "-m", "horovod.runner.launch", "--gloo", "--num-proc", str(workers),
        "--hosts", f"localhost:{workers}", sys.executable, "-m", "k2c.parallel.strategies.horovod.worker", str(folder),
    )  # fmt: skip
    # horovodrun holds standard input, and ends its workers itself.
    environment = {LIFELINE: "0", "OMP_NUM_THREADS": str(options.threads)}
    supervise(program, folder, workers, options.time_limit, watchers, environment)
    return read_history(folder)


def _missing() -> str | None:
    if importlib.util.find_spec("horovod") is not None:
        return None
    return (
        "The strategy 'horovod' needs Horovod, which no longer builds as released: course/horovod.md says how to "
        "build it. 'all_reduce' takes the same five steps, and comes with torch."
    )


register(
    Strategy(
        "horovod",
        "As all_reduce, on Horovod, whose five steps these are; only where it has been built.",
        _run,
        HorovodOptions,
        _missing,
    )
)
