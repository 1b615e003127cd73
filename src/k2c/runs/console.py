"""Lectures run one after another, with a live line each in the terminal."""

import time
from collections.abc import Sequence
from pathlib import Path

import papermill  # noqa: F401 - before our engines: it imports them, by their entry points
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from k2c.runs.engine import Step
from k2c.runs.execute import Run, execute_run
from k2c.runs.pages import format_seconds

_MARKS = {
    "ok": "[green]✓ ok[/]",
    "failed": "[red]✗ failed[/]",
    "crashed": "[red]✗ crashed[/]",
    "interrupted": "[yellow]! stopped[/]",
    "running": "[cyan]▶ running[/]",
    "not started": "[dim]· waiting[/]",
}


def execute_all(runs: Sequence[Run], out: Path, console: Console) -> bool:
    """Execute every run, going on after one that fails.

    Ctrl-C stops the run in flight; it and the ones after it keep their status `interrupted` and `not started`.

    Returns
    -------
    bool
        False when it was stopped by Ctrl-C.
    """
    board = _Board(runs, console)
    with Live(get_renderable=board.table, console=console, refresh_per_second=4) as live:
        try:
            for run in runs:
                board.start(run)
                execute_run(run, out, board.listen)
                board.stop()
                if not console.is_terminal:  # a log has no live table: a line when each lecture ends
                    live.console.print(board.line(run))
        except KeyboardInterrupt:
            board.stop()
            return False
    return True


class _Board:
    def __init__(self, runs: Sequence[Run], console: Console) -> None:
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

    def line(self, run: Run) -> str:
        parts = (_MARKS[run.status], run.lecture, self._cell(run), self._elapsed(run), self._said(run))
        return "  ".join(part for part in parts if part)

    def table(self) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        for ratio in (None, None, None, None, 1):
            table.add_column(no_wrap=True, ratio=ratio, overflow="ellipsis")
        for run in self._runs if self._console.is_terminal else ():
            mark = _MARKS["running" if run is self._running else run.status]
            table.add_row(
                mark, f"[bold]{run.lecture}[/]", self._cell(run), self._elapsed(run), self._said(run)
            )
        return table

    def _cell(self, run: Run) -> str:
        step = self._steps.get(run.lecture)
        return f"cell {step.cell} of {step.cells}" if step else ""

    def _elapsed(self, run: Run) -> str:
        if run is self._running:
            return format_seconds(time.monotonic() - self._started)
        return format_seconds(run.seconds) if run.seconds else ""

    def _said(self, run: Run) -> str:
        if run.error:
            return f"[red]{escape(run.error)}[/]"
        step = self._steps.get(run.lecture)
        return f"[dim]{escape(step.printed)}[/]" if step and run is self._running else ""
