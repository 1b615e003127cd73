"""A batch's folder: what is planned, what is done, and who works on what.

All state is on the disk. A run's folder appears by one rename, so it is there and complete, or not there. Locks are
the operating system's, so those of a killed process are free.
"""

import contextlib
import errno
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from k2c._system.atomic import atomic_path
from k2c._system.plain_file import UnreadableError
from k2c._system.sealed import read_sealed_json
from k2c.errors import K2CError
from k2c.runs.batch.plan import BatchPlan, read_plan

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class StorageError(K2CError):
    """The batch's folder takes nothing more."""


class Store:
    """The folder of a batch.

    Parameters
    ----------
    folder
        `batch.yml`, `plan.json`, a folder per run, and `.batch` with the locks.
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
    def opened(self, plan: BatchPlan) -> Iterator[list[str]]:
        """Hold the folder for a batch, and write down what is planned; yields who else holds it, in words.

        Several batches may hold a folder at once when they have the same plan.

        Raises
        ------
        K2CError
            When a batch with another plan runs here, or the folder cannot be written.
        """
        with storage(self.folder):
            self._inside.mkdir(parents=True, exist_ok=True)
            with FileLock(self._inside / "plan.lock"):
                others = self._live()
                if others and read_plan(self.folder) != plan:
                    raise K2CError(
                        f"Another batch is running in {self.folder}, with other runs. Wait for it, or name another "
                        "folder with --out."
                    )
                for name, content in (("batch.yml", plan.text), ("plan.json", plan.to_json())):
                    with atomic_path(self.folder / name) as part:
                        part.write_text(content, encoding="utf-8")
                here = self._enter(others)
        try:
            yield [self._holder(number) for number in others]
        finally:
            here.release()

    def claim(self, run: str) -> FileLock | None:
        """Return the held lock of a run, or None while another batch has it; what was left half-done is removed."""
        lock = FileLock(self._inside / f"{run}.lock", thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return None
        for rest in self.folder.glob(f".{run}.*"):
            shutil.rmtree(rest, ignore_errors=True)
        return lock

    def _live(self) -> list[int]:
        """Return the numbers that running batches have."""
        held = []
        for path in self._inside.glob("batch-*.lock"):
            lock = FileLock(path)
            try:
                lock.acquire(blocking=False)
                lock.release()
            except Timeout:
                held.append(int(path.stem.removeprefix("batch-")))
        return held

    def _enter(self, others: list[int]) -> FileLock:
        """Take a number that no running batch has, and write down whose it is."""
        number = next(number for number in range(len(others) + 1) if number not in others)
        lock = FileLock(self._inside / f"batch-{number}.lock", thread_local=False)
        lock.acquire(blocking=False)
        # Not in the lock's own file: whoever asks for the lock empties that.
        facts = {"pid": os.getpid(), "host": platform.node(), "since": time.time()}
        self._about(number).write_text(json.dumps(facts), encoding="utf-8")
        return lock

    def _about(self, number: int) -> Path:
        return self._inside / f"batch-{number}.json"

    def _holder(self, number: int) -> str:
        facts = _read(self._about(number)) or {}
        if not facts:
            return "another batch"
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(facts["since"]))
        where = "" if facts["host"] == platform.node() else f" on {facts['host']}"
        return f"process {facts['pid']}{where}, since {since}"


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
