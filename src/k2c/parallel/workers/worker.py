"""What a worker process runs: `python -m k2c.parallel.workers.worker FOLDER`, under torchrun or mpirun."""

import dataclasses
import json
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch

from k2c.errors import K2CError
from k2c.parallel.job import Experiment, Job
from k2c.parallel.workers.five_steps import FiveSteps, TorchSteps
from k2c.parallel.workers.learner import Worker
from k2c.parallel.workers.lifeline import LOST, end_with_parent
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.options import AllReduceOptions, Options
from k2c.parallel.workers.rendezvous import Rendezvous, find_rendezvous
from k2c.parallel.workers.replica import train_replica

FAILED = 1  # exit status of a worker that failed; LOST where it lost the others

_CONNECTION = re.compile(
    r"gloo|nccl|horovod|tensorpipe|processgroup|connection (was )?(closed|reset|refused)|store->|broken pipe|timed out|"
    r"MPI_ERR",
    re.IGNORECASE,
)
SomeOptions = TypeVar("SomeOptions", bound=Options)


def main(steps: FiveSteps | None = None) -> int:
    """Train as the worker that the environment says; returns the exit status."""
    folder, rendezvous, messenger = enter_run()
    return report_on(messenger, lambda: all_reduce(folder, rendezvous, messenger, steps or TorchSteps()))


def enter_run() -> tuple[Path, Rendezvous, Messenger]:
    """Return a worker's folder, place and messenger, from its arguments and environment, and end with its parent."""
    end_with_parent()
    folder, rendezvous = Path(sys.argv[1]), find_rendezvous()
    attempt = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    return folder, rendezvous, Messenger(folder / "messages", rendezvous.rank, attempt)


def report_on(messenger: Messenger, work: Callable[[], object]) -> int:
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
        lost = _is_lost_connection(error)
        messenger.event("lost" if lost else "error", message=in_words(error), details=details)
        return LOST if lost else FAILED
    messenger.event("done")
    return 0


def all_reduce(
    folder: Path, rendezvous: Rendezvous, messenger: Messenger, steps: FiveSteps,
    prepare: Callable[[Experiment], object] = lambda made: None,
) -> None:  # fmt: skip
    """Meet the others, train, leave together; `prepare` goes to `train_replica`."""
    job, options = read_run(folder, AllReduceOptions)
    torch.set_num_threads(options.threads)
    device = steps.initialise(rendezvous, 2 * options.time_limit + 60)
    worker = Worker(folder, job, options, rendezvous.rank, rendezvous.world_size, messenger, device, steps)
    train_replica(worker, prepare)
    steps.finish()


def read_run(folder: Path, kind: type[SomeOptions]) -> tuple[Job, SomeOptions]:
    """Return what a run's folder says: the job, and those of its options that a class has."""
    run = json.loads((folder / "run.json").read_text())
    known = {field.name for field in dataclasses.fields(kind)}
    options = {name: value for name, value in run["options"].items() if name in known}
    return Job.from_json(run["job"]), kind(**options)


def in_words(error: BaseException) -> str:
    """Return an error as a sentence: the kit's own as they are, others with their kind and first line."""
    if isinstance(error, K2CError):
        return str(error)
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def exit_now(status: int) -> None:
    """End this process at once.

    Python's own way out tears threads down that torch's exchange still uses, and now and then aborts there.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _is_lost_connection(error: BaseException) -> bool:
    """Tell whether an error says that another worker went away, or only this one failed."""
    if isinstance(error, K2CError):
        return False
    if isinstance(error, torch.distributed.DistError | ConnectionError | EOFError):
        return True
    return isinstance(error, RuntimeError) and bool(_CONNECTION.search(str(error)))


if __name__ == "__main__":
    exit_now(main())
