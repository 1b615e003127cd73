"""The terminal that everything is printed to: it shows any text as it is, whatever the text holds."""

import os
import sys
from collections.abc import Iterable
from typing import Any, NoReturn

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from k2c._system.printable import printable

PIPE_CLOSED = 141  # what a shell reports for a program whose reader has gone (128 + SIGPIPE)
# What stands for the marks that an old code page does not have, each as wide as the mark.
_ASCII = {"✓": "+", "✗": "x", "–": "-", "—": "-", "·": ".", "…": ".", "▶": ">", "×": "x", "’": "'"}

NARROWEST = 20

Part = str | tuple[str, str] | Text


class Terminal(Console):
    r"""A console of rich's that prints any text as it is: no markup, no commands to the terminal.

    Markup, emoji codes and highlighting are off: style is given beside the text, as in
    `terminal.say(("Error:", "bold red"), " ", message)`. Control characters are written out, and so is what the
    terminal's encoding lacks, so that printing does not fail on a name.

    >>> Terminal().say("w [final]", " new\x1b[31m")
    w [final] new\x1b[31m
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)
        if self.width < NARROWEST:  # COLUMNS=0, as some containers and editors set it: tables would be empty
            self.width = 80

    def say(self, *parts: Part) -> None:
        """Print a line that is not wrapped; a part is a text, or a text with its style."""
        self.print(self.text(*parts), soft_wrap=True)

    def text(self, *parts: Part) -> Text:
        """Return a text for a cell of a table, made safe before the cell's width is measured."""
        return Text.assemble(*map(self._safe_part, parts))

    def render_str(self, text: str, **options: Any) -> Text:
        """Turn what is printed as a plain text into rich's, which would drop some control characters unseen."""
        return super().render_str(self._safe(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as rich does, and make what comes of it safe: every text on its way to the screen passes here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(self._safe(segment.text), segment.style)

    def on_broken_pipe(self) -> NoReturn:
        """End without a message when nobody reads what is printed (`k2c list | head -1`)."""
        self.quiet = True
        forget_output()
        raise SystemExit(PIPE_CLOSED)

    def _safe_part(self, part: Part) -> Part:
        match part:
            case str():
                return self._safe(part)
            case (text, style):
                return self._safe(text), style
        return part

    def _safe(self, text: str) -> str:
        if text.isascii() and text.isprintable():
            return text
        text = printable(text, lines=True)
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return "".join(_encodable(letter, self.encoding) for letter in text)
        return text


def forget_output() -> None:
    """Discard what is still to be printed, so that Python reports no error about it when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nowhere, stream.fileno())
        except (AttributeError, ValueError, OSError):  # closed, or none at all
            continue
    os.close(nowhere)


def _encodable(letter: str, encoding: str) -> str:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return _ASCII.get(letter) or letter.encode("ascii", "backslashreplace").decode("ascii")
    return letter


console = Terminal()
problems = Terminal(stderr=True)
