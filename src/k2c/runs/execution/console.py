"""Lectures run one after another, with a live line each in the terminal."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.live import Live
from rich.table import Table
from rich.text import Text

from k2c._system.terminal import Terminal
from k2c.runs.execution.execute import Run, execute_run
from k2c.runs.execution.seen import Step
from k2c.runs.reports.pages import format_seconds

_MARKS = {
    "ok": ("✓ ok", "green"),
    "failed": ("✗ failed", "red"),
    "crashed": ("✗ crashed", "red"),
    "interrupted": ("! stopped", "yellow"),
    "running": ("▶ running", "cyan"),
    "not started": ("· waiting", "dim"),
}
SECONDS_BETWEEN_LINES = 10.0


def execute_all(
    runs: Sequence[Run], out: Path, console: Terminal, environment: dict[str, str] | None = None
) -> bool:
    """Execute every run, going on after one that fails.

    Ctrl-C stops the run in flight; it and the ones after it keep their status `interrupted` and `not started`.

    Returns
    -------
    bool
        False when it was stopped by Ctrl-C.
    """
    board = _Board(runs, console)
    live = Live(get_renderable=board.table, console=console, refresh_per_second=4)
    with live if console.is_terminal else _lines(board):
        try:
            for run in runs:
                board.start(run)
                execute_run(run, out, board.listen, environment=environment)
                board.stop()
                if not console.is_terminal:  # a log has no live table: a line when each lecture ends
                    console.say(board.line(run))
        except KeyboardInterrupt:
            board.stop()
            return False
    return True


@contextmanager
def _lines(board: "_Board") -> Iterator[None]:
    """Print where the running lecture is, every ten seconds: a log has no live table."""
    done = threading.Event()

    def say() -> None:
        while not done.wait(SECONDS_BETWEEN_LINES):
            board.say_where()

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class _Board:
    def __init__(self, runs: Sequence[Run], console: Terminal) -> None:
        self._runs, self._console = runs, console
        self._running: Run | None = None
        self._started = 0.0
        self._steps: dict[str, Step] = {}

    def start(self, run: Run) -> None:
        self._running, self._started = run, time.monotonic()

    def stop(self) -> None:
        self._running = None

    def listen(self, step: Step) -> None:
        if self._running:
            self._steps[self._running.lecture] = step

    def say_where(self) -> None:
        """Print where the running lecture is."""
        if run := self._running:
            parts = (Text(*_MARKS["running"]), *map(Text, (run.lecture, self._cell(run), self._elapsed(run))))
            self._console.say(Text("  ").join(part for part in (*parts, self._said(run)) if part))

    def line(self, run: Run) -> Text:
        words = (run.lecture, self._cell(run), self._elapsed(run))
        parts = (Text(*_MARKS[run.status]), *map(Text, words), self._said(run))
        return Text("  ").join(part for part in parts if part)

    def table(self) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        for ratio in (None, None, None, None, 1):
            table.add_column(no_wrap=True, ratio=ratio, overflow="ellipsis")
        for run in self._runs:
            mark = Text(*_MARKS["running" if run is self._running else run.status])
            name = Text(run.lecture, "bold")
            table.add_row(mark, name, self._cell(run), self._elapsed(run), self._said(run))
        return table

    def _cell(self, run: Run) -> str:
        step = self._steps.get(run.lecture)
        return f"cell {step.cell} of {step.cells}" if step else ""

    def _elapsed(self, run: Run) -> str:
        if run is self._running:
            return format_seconds(time.monotonic() - self._started)
        return format_seconds(run.seconds) if run.seconds else ""

    def _said(self, run: Run) -> Text:
        if run.error:
            return Text(run.error, "red")
        step = self._steps.get(run.lecture)
        return Text(step.printed, "dim") if step and run is self._running else Text()
