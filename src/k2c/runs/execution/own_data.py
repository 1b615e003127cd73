"""The user's own files that a run reads, identified by their content: changed files make another run."""

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm.auto import tqdm

from k2c._system.atomic import atomic_path
from k2c._system.paths import cache_dir
from k2c._system.plain_file import read_json
from k2c.course.syllabus import Value, load_syllabus
from k2c.errors import K2CError

# File systems keep times in steps of up to two seconds: what changed a moment ago may change again unseen.
_SETTLED_SECONDS = 3.0
_BLOCK = 1 << 20
_MARKS = 6  # what is known of a file: size, two times, inode, device, hash
_KINDS = {
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
Known = dict[str, list[int | str]]


@dataclass(frozen=True)
class OwnData:
    """A file or a folder of the user's own, as it was when a run was planned.

    Attributes
    ----------
    path
        Where it is.
    files, size
        How many files there are in it and below, and how many bytes.
    unreadable
        How many of them could not be read; they count by their names.
    sha256
        Of every name and content. Links to folders, pipes, sockets and devices count by name and are never opened.
    without
        A folder in it that was left out, because results are written there.
    """

    path: str
    files: int
    size: int
    unreadable: int
    sha256: str
    without: str = ""


Found = dict[str, OwnData]


def find_data(lecture: str, values: Mapping[str, Value], out: Path) -> Found:
    """Return what each parameter that is a path leads to.

    Parameters
    ----------
    lecture, values
        What is run.
    out
        The folder of the results. It is no part of the data where it lies in it, and neither is `runs` around it.

    Raises
    ------
    K2CError
        When there is no such path, or the results would be written among the data.
    """
    paths = load_syllabus().lectures[lecture].paths(values)
    results = out.resolve()
    if results in paths.values():
        raise K2CError(
            f"{out} is the folder that the lecture reads. Name another one for the results with --out."
        )
    if results.parent.name == "runs" and results.parent not in paths.values():
        results = results.parent
    return {
        name: fingerprint(path, str(results) if path in results.parents else "", show=True)
        for name, path in paths.items()
    }


def changed_since(found: Found) -> str:
    """Return a sentence on what is no longer as it was found, or an empty text."""
    for data in found.values():
        try:
            if fingerprint(Path(data.path), data.without) != data:
                return f"The files in {data.path} are no longer those that the run was planned with. Start it again."
        except K2CError as error:
            return str(error)
    return ""


def fingerprint(path: Path, without: str = "", show: bool = False) -> OwnData:
    """Return what a file or a folder holds, by content.

    A file that has kept its place, size and times since it was last read is not read again.

    Parameters
    ----------
    path
        The file or folder.
    without
        A folder that is left out.
    show
        Whether a bar shows the progress where it takes long.

    Raises
    ------
    K2CError
        When there is no such path.
    """
    if not path.exists():
        raise K2CError(f"There is no file or folder {path} any more.")
    memory = cache_dir() / "fingerprints" / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"
    before, after = _recall(memory), Known()
    whole, files, size, unreadable = hashlib.sha256(), 0, 0, 0
    entries = list(_entries(path, without))
    options = {"desc": f"reading {path.name}", "unit": "file", "leave": False, "delay": 2}
    for name, entry in tqdm(entries, **options, disable=None if show else True):
        said, length = _content(name, entry, before, after)
        whole.update(
            f"{len(os.fsencode(name))}:".encode() + os.fsencode(name) + b"\0" + said.encode() + b"\0"
        )
        files += 1
        size += length
        unreadable += said == "unreadable"
    if after != before:
        _remember(memory, after)
    return OwnData(str(path), files, size, unreadable, whole.hexdigest(), without)


def _entries(path: Path, without: str) -> Iterator[tuple[str, Path]]:
    """Yield everything that is no folder, by its name below the path, in a fixed order; no link is followed."""
    if not path.is_dir():
        yield "", path
        return
    refused: list[OSError] = []
    for parent, folders, names in os.walk(path, onerror=refused.append):
        folders.sort()
        here = Path(parent)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and str(here / name) != without]
        for name in sorted([*names, *links]):
            yield (here / name).relative_to(path).as_posix(), here / name
    for error in refused:  # a folder that may not be looked into
        yield Path(error.filename).relative_to(path).as_posix() + "/", Path(error.filename)


def _content(name: str, path: Path, before: Known, after: Known) -> tuple[str, int]:
    """Return the hash of a file, or what it is instead, and its size."""
    try:
        facts = path.stat()
        kind = stat.S_IFMT(facts.st_mode)
        if kind == stat.S_IFDIR:
            return (f"link to {path.readlink()}" if path.is_symlink() else "unreadable"), 0
        if kind != stat.S_IFREG:
            return _KINDS.get(kind, "special"), 0
        mark = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev]
        if before.get(name, [])[:-1] == mark:
            after[name] = before[name]
        else:
            digest = _hash(path)
            settled = time.time() - max(facts.st_mtime, facts.st_ctime) > _SETTLED_SECONDS
            if not settled:
                return digest, facts.st_size
            after[name] = [*mark, digest]
        return str(after[name][-1]), facts.st_size
    except OSError:
        return ("link" if path.is_symlink() else "unreadable"), 0


def _hash(path: Path) -> str:
    # Not to wait for ever where a pipe has taken the file's place meanwhile.
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(number, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        digest = hashlib.sha256()
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _recall(memory: Path) -> Known:
    with contextlib.suppress(OSError, ValueError):
        found = read_json(memory)
        marks = found.items() if isinstance(found, dict) else ()
        return {name: mark for name, mark in marks if isinstance(mark, list) and len(mark) == _MARKS}
    return {}


def _remember(memory: Path, known: Known) -> None:
    with contextlib.suppress(OSError):  # a cache that cannot be written costs time, nothing else
        memory.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(memory) as part:
            part.write_text(json.dumps(known), encoding="utf-8")


def found_from_json(content: Mapping[str, Mapping[str, str | int]]) -> Found:
    """Read what stands in a `plan.json`."""
    return {name: OwnData(**data) for name, data in content.items()}  # type: ignore[arg-type]
