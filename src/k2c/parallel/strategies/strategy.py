"""What a strategy is: one way to share the work of training between processes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from k2c.parallel.job import Job
from k2c.parallel.workers.options import Options
from k2c.parallel.workers.watch import Watcher

SomeOptions = TypeVar("SomeOptions", bound=Options)


class Strategy(Protocol[SomeOptions]):
    """One way to share the work.

    Attributes
    ----------
    name, summary
        What `train` takes, and what it is in a sentence.
    options
        The class of its options.
    """

    name: str
    summary: str
    options: type[SomeOptions]

    def missing(self) -> str | None:
        """Return the sentence that says what to install, or None where everything is there."""
        return None

    def run(
        self, job: Job, workers: int, folder: Path, options: SomeOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Train with `workers` processes; worker 0 leaves `history.json` in the run's folder.

        Parameters
        ----------
        job, workers
            What is trained, by how many.
        folder
            The run's: holds `run.json`, from which the workers read the job and the options.
        options
            How.
        watchers
            Called with the state of all workers several times a second.
        """
