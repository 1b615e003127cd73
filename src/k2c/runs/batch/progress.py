"""A batch in the terminal: the table of its runs beforehand, and how far it is meanwhile."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from k2c._system.terminal import Terminal
from k2c.course.syllabus import Value
from k2c.runs.batch.plan import BatchPlan, PlannedRun
from k2c.runs.batch.run import BatchProgress
from k2c.runs.batch.store import Store
from k2c.runs.batch.sweep import SearchSweep
from k2c.runs.execution.execute import Run
from k2c.runs.reports.pages import format_seconds

_STYLES = {"ok": "green", "interrupted": "yellow", "pruned": "cyan"}
# What a lecture may take at most on two cores (the course's own rule); `full` has no such bound.
_AT_MOST = {"smoke": 20.0, "lecture": 90.0}


@contextmanager
def show_progress(progress: BatchProgress, console: Terminal) -> Iterator[None]:
    """Show a live table while the block runs; in a log, a line for each run that ends."""
    for run, damage in progress.damaged.items():
        console.say(f"The run {run} is damaged and runs again. {damage}")
    if not console.is_terminal:

        def say(planned: PlannedRun, run: Run) -> None:
            with suppress(
                SystemExit
            ):  # the reader has gone (`| head`): what runs is for the folder, and goes on
                console.say(_ended(planned, run))

        progress.on_end = say
        yield
        return
    with Live(
        get_renderable=lambda: _progress_table(progress, console), console=console, refresh_per_second=4
    ):
        yield


def print_plan(plan: BatchPlan, store: Store, workers: int, console: Terminal) -> None:
    """Print the table of runs and how long they will take."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    columns = list(plan.runs[0].varied) if plan.runs else plan.parameters
    for column in ("run", *columns, "now"):
        table.add_column(column, no_wrap=True)
    statuses = [
        "damaged" if store.damage(run.id) else (store.facts(run.id) or {}).get("status", "to do")
        for run in plan.runs
    ]
    for run, status in zip(plan.runs, statuses, strict=True):
        table.add_row(run.id, *(_shown(value) for value in run.varied.values()), status)
    console.say((plan.name, "bold"), f": {plan.title} ", (f"({plan.lecture})", "dim"))
    console.print(table)
    left = plan.most_runs - len(plan.runs) + sum(status not in _done(plan) for status in statuses)
    if plan.search:
        console.say(_searched(plan.search))
    console.say(f"{plan.most_runs:,} runs, {left:,} to do. ", _estimate(plan, store, left, workers))


def _done(plan: BatchPlan) -> tuple[str, ...]:
    return ("ok", "pruned") if plan.search else ("ok",)


def _searched(search: SearchSweep) -> str:
    """Say what a search does, in one sentence."""
    ends = [f"{search.budget.runs:,} runs"] if search.budget.runs else []
    ends += [f"{format_seconds(search.budget.time)} of running"] if search.budget.time else []
    how = "at random" if search.sampler == "random" else "by what the earlier runs gave (TPE)"
    early = (
        f" Runs end early by the {search.prune.rule} rule on {search.prune.watch}." if search.prune else ""
    )
    return (
        f"A search that proposes {', '.join(search.parameters)} {how}, to {search.direction} {search.objective}, "
        f"until {' or '.join(ends)}.{early}"
    )


def _estimate(plan: BatchPlan, store: Store, left: int, workers: int) -> str:
    seconds = [
        facts["seconds"] for run in plan.runs if (facts := store.facts(run.id)) and facts["status"] == "ok"
    ]
    if seconds:
        one = statistics.median(seconds)
        source = f"a run took {format_seconds(one)} here (median of {len(seconds)})"
        return f"About {format_seconds(left * one / workers)} with {workers} at a time: {source}."
    if plan.profile not in _AT_MOST:
        return (
            "How long they take is not known: none of them was run here, and profile full has no time limit."
        )
    one = _AT_MOST[plan.profile]
    source = f"none was run here yet, and profile {plan.profile} of a lecture takes at most {one:.0f} s on two cores"
    return f"At most about {format_seconds(left * one)}: {source}."


def _progress_table(progress: BatchProgress, console: Terminal) -> RenderableType:
    total = progress.plan.most_runs
    counts = [Text(f"{n:,} {name}", _STYLES.get(name, "red")) for name, n in progress.counts.items()]
    if progress.retried:
        counts.append(Text(f"{progress.retried:,} tried again", "yellow"))
    head = Table.grid(padding=(0, 2))
    head.add_row(
        ProgressBar(total, progress.counts.total(), width=30),
        f"{progress.counts.total():,} of {total:,}",
        Text("  ").join(counts),
        Text(f"{len(progress.running)} running", "cyan"),
        Text(_left(progress), "dim"),
    )
    table = Table.grid(padding=(0, 2), expand=True)
    for ratio in (None, None, None, 1):
        table.add_column(no_wrap=True, ratio=ratio, overflow="ellipsis")
    for planned, since, step in list(progress.running.values())[: max(1, console.height - 4)]:
        cell = f"cell {step.cell} of {step.cells}" if step else "starts"
        printed = Text(step.printed if step else "", style="dim")
        table.add_row(Text(_varied(planned), "bold"), cell, format_seconds(time.monotonic() - since), printed)
    return Group(head, table)


def _left(progress: BatchProgress) -> str:
    if not progress.finished:
        return ""
    rate = progress.rate()
    speed = f"{rate:.1f} runs a second" if rate >= 1 else f"{rate * 60:.1f} runs a minute"
    return f"{speed}, {format_seconds(progress.left / rate)} left"


def _ended(planned: PlannedRun, run: Run) -> Text:
    status = Text(run.status, _STYLES.get(run.status, "red"))
    words = filter(None, (_varied(planned), format_seconds(run.seconds), run.error))
    return Text("  ").join((status, *map(Text, words)))


def _varied(planned: PlannedRun) -> str:
    return ", ".join(f"{name}={_shown(value)}" for name, value in planned.varied.items()) or planned.id


def _shown(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
