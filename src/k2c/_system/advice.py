"""Commands and settings for a reader to type, right in a notebook, on the command line and in a batch file."""

import sys
from pathlib import Path

from k2c._system.paths import project_root
from k2c.errors import K2CError


def pip_install(*words: str) -> str:
    """Return the command that installs something into this Python, from whichever folder it is typed.

    Parameters
    ----------
    *words
        Packages and options of pip's; an extra of the kit itself is written `"[mpi]"`.
    """
    typed = [f'-e "{_checkout()}{word}"' if word.startswith("[") else word for word in words]
    # An extra of another package: a shell takes brackets for a pattern.
    typed = [f'"{word}"' if "[" in word and '"' not in word else word for word in typed]
    python = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    return " ".join([python or "python", "-m pip install", *typed])


def set_parameter(name: str, value: str) -> str:
    """Return how a parameter of a lecture, or of an experiment, is given a value in each place that has it."""
    return f'{name}="{value}" (on the command line: -p {name}={value}; in a batch file: {name}: {value})'


def set_option(name: str, value: object) -> str:
    """Return how an option of a strategy is given a value in Python and on the command line."""
    return f"{name}={value!r} (on the command line: -o {name}={value})"


def _checkout() -> Path | str:
    """Return the folder of the kit, where pip finds what its extras are; `.` when that is not known."""
    own = Path(__file__).resolve().parents[3]
    if (own / "pyproject.toml").is_file():
        return own
    try:
        return project_root()
    except K2CError:
        return "."
