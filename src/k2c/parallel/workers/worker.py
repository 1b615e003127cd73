"""What a worker process runs: `python -m k2c.parallel FOLDER`, under torchrun, mpirun or SLURM."""

import json
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from k2c._system.atomic import atomic_path
from k2c.errors import K2CError
from k2c.parallel.job import Job
from k2c.parallel.strategies.options import AllReduceOptions, Kind, SparkOptions
from k2c.parallel.workers import five_steps
from k2c.parallel.workers.messages import LIFELINE, Messenger
from k2c.parallel.workers.place import Place, find_place
from k2c.parallel.workers.replica import train_replica

CPU = torch.device("cpu")
FAILED, LOST = 1, 75  # exit statuses: this worker failed, or it lost the others

_CONNECTION = re.compile(
    r"gloo|nccl|horovod|tensorpipe|processgroup|connection (was )?(closed|reset|refused)|store->|broken pipe|timed out|"
    r"MPI_ERR",
    re.IGNORECASE,
)


def main() -> int:
    """Train as the worker that the environment says; returns the exit status."""
    folder = Path(sys.argv[1])
    place = find_place()
    messenger = Messenger(
        folder / "messages", place.rank, int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    )
    hold_lifeline()
    options = SparkOptions if "spark" in sys.argv[2:] else AllReduceOptions
    return report(messenger, lambda: all_reduce_worker(folder, place, messenger, options))


def report(messenger: Messenger, work: Callable[[], object]) -> int:
    """Do a worker's work, tell the parent how it went, and return the exit status.

    An error is told in a sentence before the process ends; the other workers notice a lost connection, and
    tell that instead, so that the cause and its consequences stay apart.
    """
    messenger.event("start", pid=os.getpid())
    try:
        work()
    except BaseException as error:
        details = "".join(traceback.format_exception(error))
        print(details, file=sys.stderr)
        lost = is_lost_connection(error)
        messenger.event("lost" if lost else "error", message=in_words(error), details=details)
        return LOST if lost else FAILED
    messenger.event("done")
    return 0


def all_reduce_worker(
    folder: Path, place: Place, messenger: Messenger,
    options_class: type[AllReduceOptions] = AllReduceOptions, steps: ModuleType = five_steps, **how: Any,
) -> None:  # fmt: skip
    """Meet the others, train, leave together; `steps` and `how` go to `train_replica`."""
    job, options = read_run(folder, options_class)
    torch.set_num_threads(options.threads)
    device = steps.initialise(place, 2 * options.time_limit + 60)
    train_and_write(folder, job, options, place.rank, place.world_size, messenger, device, steps=steps, **how)
    steps.finish()


def read_run(folder: Path, options_class: type[Kind]) -> tuple[Job, Kind]:
    """Return what a run's folder says: the job and the options."""
    run = json.loads((folder / "run.json").read_text())
    return Job.from_json(run["job"]), options_class(**run["options"])


def train_and_write(
    folder: Path, job: Job, options: AllReduceOptions, rank: int, world_size: int, messenger: Messenger,
    device: torch.device = CPU, **how: Any,
) -> None:  # fmt: skip
    """Train; see `train_replica`. Worker 0 writes the history into the run's folder."""
    history = train_replica(job, options, rank, world_size, device, folder, messenger, **how)
    if rank == 0:
        with atomic_path(folder / "history.json") as part:
            part.write_text(history.to_json())
        print(history)


def is_lost_connection(error: BaseException) -> bool:
    """Tell whether an error says that another worker went away, or only this one failed."""
    if isinstance(error, K2CError):
        return False
    if isinstance(error, torch.distributed.DistError | ConnectionError | EOFError):
        return True
    return isinstance(error, RuntimeError) and bool(_CONNECTION.search(str(error)))


def in_words(error: BaseException) -> str:
    """Return an error as a sentence: the kit's own as they are, others with their kind and first line."""
    if isinstance(error, K2CError):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def hold_lifeline() -> None:
    """End this process when the parent's end of standard input closes, however the parent ended."""
    if os.environ.get(LIFELINE) != "1":
        return

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(LOST)

    threading.Thread(target=watch, daemon=True).start()
