"""What a loader read and what it left out, with the reasons: for the screen and for the report of a run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from k2c._system.outputs import publish
from k2c._system.printable import printable

NAMED = 3  # names that a sentence gives for each reason


@dataclass
class LoadReport:
    """What came of reading a folder or a file of the user's own.

    Attributes
    ----------
    what
        The plural of what is read: `"messages"`, `"images"`.
    read
        How many were.
    left_out
        The names of what was not, by reason. A reason completes "left out N, because": `"not an image"`.
    notes
        Sentences on what was read in a special way: `"16-bit values were scaled from 0..4095."`.
    """

    what: str
    read: int = 0
    left_out: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, name: object, reason: str) -> None:
        """Note that something was not read, and why."""
        self.left_out.setdefault(reason, []).append(str(name))

    def note(self, sentence: str) -> None:
        """Add a sentence, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def __len__(self) -> int:
        """Return how many were left out."""
        return sum(len(names) for names in self.left_out.values())

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def announce(self) -> None:
        """Say on the screen what was read and left out; in a notebook, keep it for the report of the run."""
        publish(str(self), {"load": self.as_json()})

    def as_json(self) -> dict[str, Any]:
        """Return all of it, every name included."""
        return {"what": self.what, "read": self.read, "left_out": self.left_out, "notes": self.notes}

    def _lines(self) -> Iterator[str]:
        words = self.what if self.read != 1 else self.what.removesuffix("s")
        if not self.left_out:
            yield f"Read {self.read:,} {words}; left out none."
        elif len(self.left_out) == 1:
            ((reason, names),) = self.left_out.items()
            yield f"Read {self.read:,} {words}; left out {len(self):,}, because: {reason} ({_named(names)})."
        else:
            yield f"Read {self.read:,} {words}; left out {len(self):,}, because:"
            for reason, names in sorted(self.left_out.items(), key=lambda item: -len(item[1])):
                yield f"  {len(names):>6,}  {printable(reason)} ({_named(names)})"
        yield from map(printable, self.notes)


def together(reports: Iterable[LoadReport | None], what: str, read: int) -> LoadReport:
    """Return one report of several that were read together, of which `read` remain; None stands for none."""
    whole = LoadReport(what, read)
    for report in filter(None, reports):
        for reason, names in report.left_out.items():
            whole.left_out[reason] = [*whole.left_out.get(reason, []), *names]
        for sentence in report.notes:
            whole.note(sentence)
    return whole


def _named(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown}, and {len(names) - NAMED:,} more"
