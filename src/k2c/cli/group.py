"""The group of all commands: however one of them ends, it ends in a sentence and with the right exit status."""

import errno
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from k2c._system.atomic import check_writable
from k2c._system.paths import NO_HOME, cache_dir, student_dir
from k2c._system.printable import printable
from k2c._system.terminal import PIPE_CLOSED, forget_output, problems
from k2c.cli import stopping
from k2c.errors import K2CError

_PACKAGE = Path(__file__).parents[1]
_WORDS = "k2c.words"  # where a context keeps the words of the command line

_FORBIDDEN = "this user has no permission there"
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of disk space is used up",
    errno.EFBIG: "the file grows larger than is allowed here",
}
_REASONS = _FULL | {
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "the file system is read-only",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENOTDIR: "a file is where a folder is needed",
    errno.EEXIST: "a file is where a folder is needed",
    errno.EISDIR: "a folder is where a file is needed",
    errno.ENOTEMPTY: "the folder holds something else",
    errno.ENOENT: "it does not exist, or no longer",
    errno.ELOOP: "its links lead back to themselves",
    errno.EINVAL: "the file system does not allow such a name",
    errno.EIO: "the disk fails to read or write it",
    errno.ESTALE: "the file server has lost it",
}
_LARGE = 1 << 20  # bytes; a disk with less is called full


class SentenceGroup(click.Group):
    """A command group that shows as a sentence what the user can do something about.

    A `K2CError`, and an error of the operating system about a path that the user chose, end with status 2; a signal
    with 128 and its number. `K2C_DEBUG=1` shows the traceback too. Anything else is a fault of the kit, and shows
    its traceback.
    """

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """Run the command, and leave with its exit status."""
        options["standalone_mode"] = False  # else click would end the process, with words of its own
        try:
            stopping.listen()
            for stream in (sys.stdout, sys.stderr):
                if hasattr(
                    stream, "reconfigure"
                ):  # what click and tqdm print does not pass through our console
                    stream.reconfigure(errors="backslashreplace")
            with stopping.unmasked(), warnings.catch_warnings():  # which also brings `showwarning` back
                warnings.showwarning = _say_warning
                status = super().main(args, *more, **options)
        except click.ClickException as error:
            error.message = printable(error.message, lines=True)  # type: ignore[misc]
            error.show()
            status = error.exit_code
        except (click.Abort, KeyboardInterrupt) as error:
            status = _stopped(error)
        except SystemExit as end:
            status = end.code
        sys.exit(_flushed(status))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words: they hold the paths that the user chose."""
        ctx.meta[_WORDS] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command; what it raises becomes a sentence here."""
        try:
            with stopping.unmasked():
                return super().invoke(ctx)
        except KeyboardInterrupt as error:
            status = _stopped(error)
        except K2CError as error:
            status = _say(str(error))
        except BrokenPipeError:
            forget_output()
            status = PIPE_CLOSED
        except OSError as error:
            said = explain(error, ctx.meta.get(_WORDS, ()))
            if said is None:
                raise
            status = _say(said)
        except RuntimeError as error:
            if "home directory" not in str(error):  # how pathlib says it, for us and for the libraries
                raise
            status = _say(NO_HOME)
        return ctx.exit(status)


class Output(click.Path):
    """A file to write, or a folder to write into: a `pathlib.Path`.

    One that could not be written is refused before anything else is done.
    """

    def __init__(self, *, folder: bool = False) -> None:
        super().__init__(path_type=Path, file_okay=not folder, dir_okay=folder)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        check_writable(path, folder=self.dir_okay)
        return path


def _say(sentence: str) -> int:
    if os.environ.get("K2C_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    problems.say(("Error:", "bold red"), " ", sentence)
    return 2


def _say_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None,
    line: str | None = None,
) -> None:  # fmt: skip
    """Show a warning of the kit as a sentence, and one of a library as Python does."""
    if issubclass(category, UserWarning) and Path(filename).is_relative_to(_PACKAGE):
        problems.say(("Warning:", "bold yellow"), " ", str(message))
    else:
        shown = warnings.formatwarning(message, category, filename, lineno, line)
        click.echo(printable(shown, lines=True), err=True, nl=False)


def _stopped(error: BaseException) -> int:
    stopping.ignore()
    problems.say(stopping.sentence(error))
    return stopping.status()


def _flushed(status: Any) -> Any:
    """Return the exit status, or that of output that cannot be written: it would be lost without a word."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except BrokenPipeError:
        forget_output()
        return status or PIPE_CLOSED
    except OSError as error:
        problems.say(("Error:", "bold red"), f" What was printed could not be written ({error.strerror}).")
        os._exit(2)  # Python would try once more, and complain
    return status if isinstance(status, int | None) else 1


def explain(error: OSError, words: Sequence[str]) -> str | None:
    """Return the sentences for an error about a path that is the user's to choose; None where it is about no such path.

    Parameters
    ----------
    error
        What was raised.
    words
        The words of the command line.
    """
    try:
        Path.cwd()
    except OSError:
        return (
            "The folder that you are in no longer exists. Go to another one with cd, and repeat the command."
        )
    try:
        tempfile.gettempdir()
    except OSError:
        return (
            "No folder for temporary files can be written. Set TMPDIR to a folder that you may write to and "
            "that has space."
        )
    if isinstance(error, shutil.Error):
        error = _first_of(error)
    if error.errno == errno.EMFILE:
        return "Too many files are open at a time. Allow more with: ulimit -n 4096"
    places = _places(words)
    files = [Path(name).absolute() for name in (error.filename, error.filename2) if isinstance(name, str)]
    if not files and error.errno in _FULL:
        advice = next(
            (f"{place}: {advice}" for place, advice in places if _is_full(place)), "Free some space."
        )
        return f"Nothing more can be written: {_FULL[error.errno]}. {advice}"
    if error.errno not in _REASONS:
        return None
    for file in files:
        for place, advice in places:
            if _concerns(place, file):
                return f"{file} cannot be used: {_REASONS[error.errno]}. {advice}"
    return None


def _first_of(error: shutil.Error) -> OSError:
    """Return the first error of `shutil.copytree`, which keeps them as words beside what was copied, and where."""
    _, target, why = error.args[0][0]
    number = next((number for number in _REASONS if os.strerror(number) in why), None)
    return OSError(number, why) if number is None or number in _FULL else OSError(number, why, target)


def _places(words: Sequence[str]) -> list[tuple[Path, str]]:
    """Return the paths that a user has chosen, and how to choose another: those of the command line first."""
    named = []
    for before, word in zip(("", *words), words, strict=False):
        option, _, value = word.partition("=") if word.startswith("--") else (before, "", word)
        if value and not value.startswith("-"):
            how = f"with {option}" if option.startswith("--") else f"instead of {value}"
            named.append((Path(value).absolute(), f"Name another one {how}."))
    # The longest first: what is said of the folder itself is better than what is said of the folder around it.
    named.sort(key=lambda entry: -len(entry[0].parts))
    return [*named, *_folders_of_the_user()]


def _folders_of_the_user() -> list[tuple[Path, str]]:
    found = []
    try:
        found.append((cache_dir(), "Set K2C_DATA to a folder of yours, for downloaded data."))
        if student := student_dir():
            found.append((student, "Set K2C_STUDENT to a folder of yours, or to off."))
    except K2CError:
        pass
    if home := os.environ.get("K2C_HOME"):
        found.append((Path(home), "Set K2C_HOME to a copy of the course that is yours."))
    found.append((Path.cwd(), "Work in a folder that you may write to, or name one with --out."))
    found.append((Path(tempfile.gettempdir()), "Set TMPDIR to a folder that you may write to."))
    return [(folder.absolute(), advice) for folder, advice in found]


def _concerns(place: Path, file: Path) -> bool:
    """Tell whether a file is a place, is in it or above it, or is the temporary file beside it."""
    beside = file.parent == place.parent and file.name.startswith(f".{place.name}.")
    return beside or file.is_relative_to(place) or place.is_relative_to(file)


def _is_full(place: Path) -> bool:
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free < _LARGE
