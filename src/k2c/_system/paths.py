"""Where things are: the project's folders, the data cache, and whether the network may be used."""

import os
from pathlib import Path

from k2c.errors import K2CError

PROJECT_MARK = "course/syllabus.yml"
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
