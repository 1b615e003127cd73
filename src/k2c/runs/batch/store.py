"""A batch's folder: what is planned, and what is done.

All state is on the disk. A run's folder appears by one rename, so it is there and complete, or not there. The lock is
the operating system's, so that of a killed process is free.
"""

import contextlib
import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from k2c._system.atomic import atomic_path
from k2c._system.plain_file import UnreadableError
from k2c._system.sealed import read_sealed_json
from k2c.errors import K2CError
from k2c.runs.batch.plan import BatchPlan

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class StorageError(K2CError):
    """The batch's folder takes nothing more."""


class Store:
    """The folder of a batch.

    Parameters
    ----------
    folder
        `batch.yml`, `plan.json`, a folder per run, and `.batch` with the lock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._inside = folder / ".batch"

    def facts(self, run: str) -> dict[str, Any] | None:
        """Return the `run.json` of a run; None when it is not there, or damaged."""
        return _read(self.folder / run / "run.json")

    def metrics(self, run: str) -> dict[str, Any]:
        """Return the `metrics.json` of a run; empty when it is not there, or damaged."""
        return _read(self.folder / run / "metrics.json") or {}

    def damage(self, run: str) -> str:
        """Say in a sentence what is damaged of a run; empty when nothing is."""
        for name in ("run.json", "metrics.json"):
            try:
                read_sealed_json(self.folder / run / name)
            except UnreadableError as error:
                return str(error)
            except OSError:  # not there
                continue
        return ""

    @contextmanager
    def opened(self, plan: BatchPlan) -> Iterator[None]:
        """Hold the folder for a batch, write down what is planned, and remove what a killed batch left half-done.

        Raises
        ------
        K2CError
            When another batch runs here, or the folder cannot be written.
        """
        with storage(self.folder):
            self._inside.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._inside / "batch.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout as error:
                raise K2CError(
                    f"Another batch is running in {self.folder}. Wait for it, or name another folder with --out."
                ) from error
            ids = {run.id for run in plan.runs}
            for rest in self.folder.glob(".*"):
                if rest.name[1:].rpartition(".")[0] in ids:
                    shutil.rmtree(rest, ignore_errors=True)
            with atomic_path(self.folder / "batch.yml") as part:
                part.write_text(plan.text, encoding="utf-8")
            self.write_plan(plan)
        try:
            yield
        finally:
            lock.release()

    def write_plan(self, plan: BatchPlan) -> None:
        """Write down what is planned by now."""
        with storage(self.folder), atomic_path(self.folder / "plan.json") as part:
            part.write_text(plan.to_json(), encoding="utf-8")


@contextmanager
def storage(folder: Path) -> Iterator[None]:
    """Turn a full disk or a folder that cannot be written into a sentence.

    Raises
    ------
    StorageError
        Saying which, and what to do.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageError(
                f"The disk with {folder} is full. Free some space and go on with: k2c batch resume {folder}"
            ) from error
        if error.errno in _FORBIDDEN or isinstance(error, FileExistsError | NotADirectoryError):
            raise StorageError(
                f"{folder} cannot be written ({error.strerror}). Name another folder with --out."
            ) from error
        raise


def _read(path: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, UnreadableError):
        return read_sealed_json(path)
    return None
