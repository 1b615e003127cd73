"""The files of a user's own folder: every one of them, or the reason why not."""

import os
import stat
from pathlib import Path

from k2c._system.load_report import LoadReport

_SYSTEM = {"desktop.ini", "thumbs.db", "ehthumbs.db", "icon\r", "__macosx", "@eadir", "$recycle.bin"}

HIDDEN, OF_SYSTEM = "hidden", "a file of the operating system"
OUTSIDE = "a link that leads out of the folder"


def files_below(folder: Path, report: LoadReport) -> list[Path]:
    """Return the files in a folder and below that may hold something, sorted by name; the report has the others.

    Left out are hidden files, files of the operating system, empty files, what is no ordinary file (a pipe, a
    socket, a device), and links that lead out of the folder. Links to folders are not followed: what they name
    is either in the folder, and read there, or outside. The folder itself may be a link: the user named it.
    """
    found: list[Path] = []
    root = folder.resolve()

    def unreadable(error: OSError) -> None:
        report.leave_out(
            _name(Path(error.filename), folder), f"a folder that cannot be read: {error.strerror}"
        )

    for parent, folders, names in os.walk(folder, onerror=unreadable):
        kept = []
        for name in sorted(folders):
            if reason := _no_folder(Path(parent, name), root):
                report.leave_out(_name(Path(parent, name), folder) + "/", reason)
            else:
                kept.append(name)
        folders[:] = kept
        for name in sorted(names):
            path = Path(parent, name)
            if reason := _no_file(path, root):
                report.leave_out(_name(path, folder), reason)
            else:
                found.append(path)
    return sorted(found)


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _no_folder(path: Path, root: Path) -> str | None:
    if path.is_symlink():
        return "a link to a folder in the same folder" if path.resolve().is_relative_to(root) else OUTSIDE
    return _by_name(path)


def _no_file(path: Path, root: Path) -> str | None:
    if reason := _by_name(path):
        return reason
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            return OUTSIDE
        state = path.stat()
    except FileNotFoundError:
        return "a link to nothing"
    except (OSError, RuntimeError) as error:  # a link to itself is a RuntimeError before Python 3.13
        return f"cannot be read: {getattr(error, 'strerror', None) or 'a link that leads to itself'}"
    if not stat.S_ISREG(state.st_mode):
        return "not an ordinary file"
    return None if state.st_size else "empty"


def _by_name(path: Path) -> str | None:
    if path.name.lower() in _SYSTEM:
        return OF_SYSTEM
    return HIDDEN if path.name.startswith(".") else None
