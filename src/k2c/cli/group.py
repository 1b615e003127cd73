"""The group of all commands: however one of them ends, it ends in a sentence and with the right exit status."""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from k2c._system.paths import NO_HOME
from k2c._system.printable import printable
from k2c._system.terminal import PIPE_CLOSED, forget_output
from k2c.cli import stopping
from k2c.cli.consoles import problems
from k2c.cli.system_errors import explain
from k2c.errors import K2CError

_PACKAGE = Path(__file__).parents[1]
_WORDS = "k2c.words"  # where a context keeps the words of the command line


class SentenceGroup(click.Group):
    """A command group that shows as a sentence what the user can do something about.

    A `K2CError`, and an error of the operating system about a path that the user chose, end with status 2; a signal
    with 128 and its number. `K2C_DEBUG=1` shows the traceback too. Anything else is a fault of the kit, and shows
    its traceback.
    """

    def main(self, args: Sequence[str] | None = None, *more: Any, **options: Any) -> Any:
        """Run the command, and leave with its exit status."""
        options["standalone_mode"] = False  # else click would end the process, with words of its own
        stopping.listen()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # what click and tqdm print does not pass through our console
                stream.reconfigure(errors="backslashreplace")
        try:
            with warnings.catch_warnings():  # which also brings `showwarning` back
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
