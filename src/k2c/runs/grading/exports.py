"""What a learning platform exports, as a zip or a folder: which files are whose."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePosixPath

from k2c.errors import K2CError
from k2c.runs.grading.files import Item, files_in, is_hidden

_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?P<kind>file|onlinetext)(_(?P<file>.*))?")
_CANVAS = re.compile(r"(?P<name>[^_]+)(?P<late>_LATE)?_(?P<id>\d+)_(?P<attempt>\d+)_(?P<file>.+)")
_BLACKBOARD = re.compile(r".+_(?P<id>[^_]+)_attempt_(?P<when>\d{4}(-\d\d){5})(_(?P<file>.+)|\.txt)")
_EXCHANGE = re.compile(r"(?P<id>[^+]+)\+[^+]+\+(?P<when>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[^+]*(\+.*)?")
_RECEIPT_NAME = re.compile(r"^Name:\s*(?P<name>.+?)\s*\((?P<id>[^()]+)\)\s*$", re.MULTILINE)


@dataclass
class HandIn:
    """What one student handed in.

    Attributes
    ----------
    student, id
        Name and number, as far as the export has them.
    prefix
        What the platform puts before every file of this student.
    late
        What the export says of it; None where it says nothing.
    when
        When it was handed in, if the export tells: a date, without a zone where the platform gives none.
    items
        The files of the newest attempt, with their paths as the student gave them.
    """

    student: str
    id: str
    prefix: str
    late: bool | None = None
    when: datetime | None = None
    items: list[Item] = field(default_factory=list)


@dataclass
class Export:
    """All that was handed in; by reason, how many of the `files` are nobody's notebook."""

    platform: str
    hand_ins: list[HandIn]
    left_out: Counter[str]
    files: int


@dataclass(frozen=True)
class _Place:
    """Whose a file is, with its path as the student gave it; `attempt` tells apart what came at different times."""

    item: Item
    inside: PurePosixPath
    id: str
    name: str
    prefix: str
    attempt: str = ""
    late: bool | None = None
    when: datetime | None = None
    receipt: bool = False


def read_export(path: Path) -> Export:
    """Find out who handed in what.

    Parameters
    ----------
    path
        A zip or a folder, from Moodle, Canvas, Blackboard or nbgrader, or one notebook or one folder per student.

    Raises
    ------
    K2CError
        When there is nothing in it, or the zip cannot be read.
    """
    left_out: Counter[str] = Counter()
    items = files_in(path, left_out)
    if not items:
        raise K2CError(
            f"There is nothing to grade in {path}: put one notebook or one subfolder a student there."
        )
    number = len(items) + left_out.total()
    platform, places = _recognised(items)
    left_out["the platform's file name has no student in it"] += len(items) - len(places)
    hand_ins = _by_student(places, left_out)
    if platform == "plain" and path.is_dir():
        known = {hand_in.prefix for hand_in in hand_ins}
        hand_ins += [
            HandIn(one.name, "", one.name)
            for one in path.iterdir()
            if one.is_dir() and one.name not in known and not is_hidden(PurePosixPath(one.name))
        ]
    hand_ins.sort(key=lambda one: (one.student.casefold(), one.id))
    return Export(platform, hand_ins, +left_out, number)


def _recognised(items: list[Item]) -> tuple[str, list[_Place]]:
    """Return the platform whose names most files have, and whose each of its files is."""
    kinds = {"moodle": _moodle, "canvas": _canvas, "blackboard": _blackboard, "nbgrader": _nbgrader}
    stamped = {item.path.parent for item in items if item.path.name == "timestamp.txt"}
    for platform, placed in kinds.items():
        places = [
            place
            for item in items
            if (platform != "nbgrader" or item.path.parent in stamped or "+" in item.path.parts[0])
            and (place := placed(item))
        ]
        if 2 * len(places) > len(items):
            return platform, places
    return "plain", [_plain(item) for item in items]


def _moodle(item: Item) -> _Place | None:
    for depth, part in enumerate(item.path.parts):
        if found := _MOODLE.fullmatch(part):
            prefix = (
                part if depth + 1 < len(item.path.parts) else part[: len(part) - len(found["file"] or "")]
            )
            container = "/".join(item.path.parts[:depth])
            receipt = found["kind"] == "onlinetext"
            inside = PurePosixPath(found["file"] or "", *item.path.parts[depth + 1 :])
            prefix = prefix.rstrip("_")
            return _Place(item, inside, found["id"], found["name"], prefix, container, receipt=receipt)
    return None


def _canvas(item: Item) -> _Place | None:
    for depth, part in enumerate(item.path.parts):
        if found := _CANVAS.fullmatch(part):
            container = "/".join(item.path.parts[:depth])
            prefix = part[: len(part) - len(found["file"])]
            inside = PurePosixPath(found["file"], *item.path.parts[depth + 1 :])
            return _Place(item, inside, found["id"], found["name"], prefix, container, bool(found["late"]))
    return None


def _blackboard(item: Item) -> _Place | None:
    for depth, part in enumerate(item.path.parts):
        if found := _BLACKBOARD.fullmatch(part):
            when = datetime.strptime(found["when"], "%Y-%m-%d-%H-%M-%S")
            prefix = part[: found.end("when")]
            receipt = not found["file"]
            name = _name_in(item) if receipt else ""
            inside = PurePosixPath(found["file"] or part, *item.path.parts[depth + 1 :])
            return _Place(item, inside, found["id"], name, prefix, found["when"], when=when, receipt=receipt)
    return None


def _name_in(receipt: Item) -> str:
    try:
        found = _RECEIPT_NAME.search(receipt.read().decode("utf-8-sig", errors="replace"))
    except Exception:  # a damaged receipt says nothing
        return ""
    return found["name"] if found else ""


def _nbgrader(item: Item) -> _Place | None:
    parts = item.path.parts
    stamp = item.path.name == "timestamp.txt"
    if found := _EXCHANGE.fullmatch(parts[0]):
        came = datetime.fromisoformat(f"{found['when']}+00:00")
        inside = PurePosixPath(*parts[1:])
        return _Place(
            item, inside, found["id"], found["id"], parts[0], found["when"], when=came, receipt=stamp
        )
    if len(parts) < 3:
        return None
    student, assignment = parts[-3:-1]
    when = _stamp(item) if stamp else None
    place = f"{student}/{assignment}"
    return _Place(item, PurePosixPath(parts[-1]), student, student, place, when=when, receipt=stamp)


def _stamp(item: Item) -> datetime | None:
    """Read nbgrader's time: `2026-11-20 22:15:01.123456 UTC`, of which the zone is always UTC when it collects."""
    try:
        return datetime.fromisoformat(item.read()[:19].decode("ascii") + "+00:00")
    except Exception:
        return None


def _plain(item: Item) -> _Place:
    first = item.path.parts[0]
    single = len(item.path.parts) == 1 or first.lower().endswith(".zip")
    inside = PurePosixPath(*(item.path.parts[1:] or [first]))
    return _Place(item, inside, "", PurePosixPath(first).stem if single else first, first)


def _by_student(places: list[_Place], left_out: Counter[str]) -> list[HandIn]:
    """Return one hand-in per student: the newest attempt, without receipts."""
    of_student: dict[str, dict[str, list[_Place]]] = {}
    for place in places:
        attempts = of_student.setdefault(place.id or place.prefix, {})
        attempts.setdefault(place.attempt, []).append(place)
    hand_ins = []
    for attempts in of_student.values():
        newest = max(attempts.values(), key=_age)
        earlier = sum(len(attempt) for attempt in attempts.values()) - len(newest)
        left_out["an earlier attempt of the same student"] += earlier
        left_out["receipts and texts that the platform adds"] += sum(place.receipt for place in newest)
        known = [place for attempt in attempts.values() for place in attempt]
        of_files = next((place for place in newest if not place.receipt), newest[0])
        name = next((place.name for place in known if place.name), of_files.id)
        when = next((place.when for place in newest if place.when), None)
        items = [replace(place.item, path=place.inside) for place in newest if not place.receipt]
        hand_ins.append(HandIn(name, of_files.id, of_files.prefix, of_files.late, when, items))
    return hand_ins


def _age(attempt: list[_Place]) -> tuple[str, float]:
    """Return what grows from an attempt to the next: the platform's time where there is one, else the files'."""
    when = max((place.when.isoformat() for place in attempt if place.when), default="")
    return when, max(place.item.written for place in attempt)
