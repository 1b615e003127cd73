"""How workers report what they do: each appends events to a file, and overwrites a record of where it is.

Files work alike under torchrun, mpirun and Spark, survive the worker that wrote them, and need no port.
"""

import json
import os
import struct
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DRIVER = -1  # the rank under which the process that starts the workers reports

_PULSE = struct.Struct("<qqqqqdd")


@dataclass(frozen=True)
class Pulse:
    """Where a worker is.

    Attributes
    ----------
    attempt
        How often the workers were restarted before.
    marks
        Counts up at fixed points of every batch, alike in all workers: the worker with the fewest is behind.
    epoch, batch, batches
        The epoch from 0, the batch in it from 0, and how many there are.
    loss
        Of the latest batch.
    time
        When, in seconds since 1970.
    """

    attempt: int
    marks: int
    epoch: int
    batch: int
    batches: int
    loss: float
    time: float


class Messenger:
    """The worker's end.

    Parameters
    ----------
    folder
        Where the messages go; the parent reads them there.
    rank
        Who writes.
    attempt
        How often the workers were restarted before.
    """

    def __init__(self, folder: Path, rank: int, attempt: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.rank, self.attempt, self.marks = rank, attempt, 0
        self._where = 0, 0, 0, float("nan")
        self._events = folder / f"{rank}.events"
        self._pulse = os.open(folder / f"{rank}.pulse", os.O_CREAT | os.O_WRONLY, 0o644)

    def event(self, kind: str, **content: Any) -> None:
        """Append one event: a line of JSON."""
        line = {"event": kind, "rank": self.rank, "attempt": self.attempt, "time": time.time()} | content
        with self._events.open("ab", buffering=0) as file:
            file.write(
                json.dumps(line).encode() + b"\n"
            )  # one write: two processes of a rank must not mix lines

    def warn(self, sentence: str) -> None:
        """Say a sentence that the user must see: here, which is the log or the user's process, and to the parent."""
        warnings.warn(sentence, stacklevel=2)
        self.event("warning", message=sentence)

    def pulse(self, epoch: int, batch: int, batches: int, loss: float = float("nan")) -> None:
        """Say where this worker is, in a few microseconds."""
        self.marks += 1
        self._where = epoch, batch, batches, loss
        self.alive()

    def alive(self) -> None:
        """Say that this worker still works, at the same place."""
        content = _PULSE.pack(self.attempt, self.marks, *self._where, time.time())
        os.lseek(self._pulse, 0, os.SEEK_SET)
        os.write(self._pulse, content)


class Mailbox:
    """The parent's end: what all workers wrote since the last look.

    Parameters
    ----------
    folder
        Where the workers' messages are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, int] = {}

    def events(self) -> list[dict[str, Any]]:
        """Return the new events of all workers, in the order of their times."""
        new = []
        for path in sorted(self.folder.glob("*.events")):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                content = file.read()
            whole = content.rfind(b"\n") + 1  # a line that is still being written waits for the next look
            self._read[path] = self._read.get(path, 0) + whole
            new += [json.loads(line) for line in content[:whole].splitlines()]
        return sorted(new, key=lambda event: event["time"])

    def pulses(self) -> dict[int, Pulse]:
        """Return where each worker is, by rank."""
        found = {}
        for path in self.folder.glob("*.pulse"):
            content = path.read_bytes()
            if len(content) == _PULSE.size:
                found[int(path.stem)] = Pulse(*_PULSE.unpack(content))
        return dict(sorted(found.items()))
