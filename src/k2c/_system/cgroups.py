"""The limits that a container or a batch system sets to this process: Linux control groups, versions 1 and 2."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return how many processors' worth of time this process may use; None where nothing limits it.

    Parameters
    ----------
    root
        Where `proc` and `sys` are.
    """
    quotas = []
    for folder in _folders(root, "cpu"):
        for names in (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us")):
            match [number for name in names for number in _numbers(folder / name)]:
                case [quota, period] if quota > 0 and period > 0:
                    quotas.append(quota / period)
    return min(quotas, default=None)


def memory_limit(root: Path = Path("/")) -> int | None:
    """Return how many bytes this process and those beside it may take; None where nothing limits them.

    Version 1 has no word for "no limit" but a number that no machine has: compare with the machine's memory.
    """
    names = ("memory.max", "memory.high", "memory.limit_in_bytes")
    limits = [
        number for folder in _folders(root, "memory") for name in names for number in _numbers(folder / name)
    ]
    return min(limits, default=None)


def _folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's groups, from its own to the outermost that can be seen.

    A limit of any of them holds, so the smallest along the way counts.
    """
    groups = _groups(root)
    for mount, inside, kind in _mounts(root, controller):
        group = groups.get(controller if kind == "cgroup" else "")
        if group is None:
            continue
        # A container may see its own group as the whole tree: then the path is not one of what is mounted.
        path = group.relative_to(inside) if group.is_relative_to(inside) else PurePosixPath()
        if ".." in path.parts:
            path = PurePosixPath()
        for step in (path, *path.parents):
            yield mount / step


def _groups(root: Path) -> dict[str, PurePosixPath]:
    """Return this process's group by controller; that of version 2 has no controller's name."""
    groups: dict[str, PurePosixPath] = {}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if path:
            groups |= dict.fromkeys(controllers.split(","), PurePosixPath(path))
    return groups


def _mounts(root: Path, controller: str) -> Iterator[tuple[Path, PurePosixPath, str]]:
    """Yield where a controller's tree is mounted, which group is its top, and its kind."""
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        where, what = [_unescaped(word) for word in left.split()], right.split()
        if len(where) < 5 or len(what) < 3:
            continue
        if what[0] == "cgroup2" or (what[0] == "cgroup" and controller in what[2].split(",")):
            yield root / where[4].lstrip("/"), PurePosixPath(where[3]), what[0]


def _unescaped(word: str) -> str:
    """Return a path of mountinfo, which writes a space as its octal number."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), word)


def _numbers(file: Path) -> list[int]:
    """Return the numbers in a file; `max` and -1, the words for no limit, are none."""
    return [int(word) for word in " ".join(_lines(file)).split() if re.fullmatch(r"[0-9]{1,30}", word)]


def _lines(file: Path) -> list[str]:
    with suppress(OSError, ValueError):
        return file.read_text(encoding="utf-8").splitlines()
    return []
