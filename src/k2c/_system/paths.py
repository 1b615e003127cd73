"""Where things are: the project's folders, the data cache, and the paths that a user types."""

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from k2c._system.printable import printable
from k2c.errors import K2CError

PROJECT_MARK = "course/syllabus.yml"
NAMED = 8  # names that a sentence gives
NO_HOME = (
    "This user has no home folder. Set HOME to a folder that you may write to, as in: export HOME=/tmp/home"
)


def project_root() -> Path:
    """Return the folder that holds `notebooks`, `course` and `data`.

    It is `K2C_HOME` when that is set, else the checkout that this package was installed from.

    Raises
    ------
    K2CError
        When neither holds the course.
    """
    chosen = os.environ.get("K2C_HOME")
    root = _at_home(chosen) if chosen else Path(__file__).resolve().parents[3]
    if not (root / PROJECT_MARK).is_file():
        raise K2CError(
            f"No course found in {root} (there is no {PROJECT_MARK}). Set K2C_HOME to the folder that you cloned "
            "the kit into, or install the package from there with: pip install -e ."
        )
    return root


def data_dir() -> Path:
    """Return the project's `data` folder: what ships, and the registry of what does not."""
    return project_root() / "data"


def cache_dir() -> Path:
    """Return the folder for downloaded data (`K2C_DATA`, else the user's cache folder). It may not exist yet."""
    return _chosen("K2C_DATA") or _user_folder("XDG_CACHE_HOME", "~/.cache")


def student_dir() -> Path | None:
    """Return the folder for what the student has solved (`K2C_STUDENT`, else the user's folder for data).

    It may not exist yet. None where `K2C_STUDENT` is `off`: nothing is kept then.
    """
    if os.environ.get("K2C_STUDENT") == "off":
        return None
    return _chosen("K2C_STUDENT") or _user_folder("XDG_DATA_HOME", "~/.local/share")


def _chosen(variable: str) -> Path | None:
    chosen = os.environ.get(variable)
    return _at_home(chosen) if chosen else None


def _user_folder(variable: str, default: str) -> Path:
    if os.name == "nt":
        variable, default = "LOCALAPPDATA", "~/AppData/Local"
    chosen = os.environ.get(variable, "")
    # The specification of these variables: what is empty or relative is ignored.
    return (Path(chosen) if Path(chosen).is_absolute() else _at_home(default)) / "k2c"


def _at_home(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise K2CError(NO_HOME) from error


def fix_folders() -> None:
    """Make the folders that the user has set absolute, since a lecture runs in another folder than the command."""
    for variable in ("K2C_DATA", "K2C_STUDENT", "K2C_HOME"):
        chosen = os.environ.get(variable)
        if chosen and not (variable == "K2C_STUDENT" and chosen == "off"):
            os.environ[variable] = str(_at_home(chosen).absolute())


def offline() -> bool:
    """Tell whether `K2C_OFFLINE` forbids the network (any value but empty and 0 does)."""
    return os.environ.get("K2C_OFFLINE", "0") not in ("", "0")


def find_own(name: str, text: str, bases: Sequence[Path], choices: Sequence[str] = ()) -> Path:
    """Return the absolute path of a file or folder that a user named.

    Parameters
    ----------
    name
        What it was given for, for the sentence: `"source"`.
    text
        What was typed; `~` is the user's home.
    bases
        The folders that a relative path may start from, in this order; the user knows the last one best.
    choices
        Words that would have been right, too, for the sentence.

    Raises
    ------
    K2CError
        When there is nothing, with what there is.
    """
    try:
        typed = Path(text).expanduser()
    except RuntimeError as error:
        raise K2CError(
            f"{name} is '{printable(text)}', but the home folder in it is not known. Write the whole path."
        ) from error
    tried = [base.absolute() / typed for base in bases]
    for path in tried:
        if _is_there(path):
            return path.resolve()
    raise K2CError(_nothing_there(name, text, tried[-1], choices))


def _nothing_there(name: str, text: str, path: Path, choices: Sequence[str]) -> str:
    parent = next(
        (folder for folder in path.parents if _is_there(folder) and folder.is_dir()), Path(path.anchor)
    )
    present = _names(parent)
    missing = path.relative_to(parent).parts[0]  # the first part of the path that is not there
    close = difflib.get_close_matches(missing, [*present, *(choices if parent == path.parent else ())], n=1)
    meant = f"; did you mean '{printable(close[0])}'?" if close else "."
    shown = ", ".join(printable(entry) for entry in present[:NAMED])
    if len(present) > NAMED:
        shown += f", and {len(present) - NAMED:,} more"
    sentences = [f"{name} is '{printable(text)}', but there is no file or folder {printable(path)}{meant}"]
    if parent == path.parent and path.name in present:
        sentences = [f"{name} is '{printable(text)}', a link to something that is not there."]
    sentences.append(
        f"In {printable(parent)} there is: {shown}." if present else f"{printable(parent)} shows no file."
    )
    if choices:
        sentences.append(f"{name} may also be {' or '.join(choices)}.")
    return " ".join(sentences)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that no file system takes, a folder that may not be entered
        return False


def _names(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        return []
