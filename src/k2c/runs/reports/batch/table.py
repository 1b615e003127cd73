"""The results of a batch as a table: a row per run."""

import json
import math
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from k2c._system.atomic import atomic_path
from k2c._system.load_report import LoadReport
from k2c._system.printable import plain, printable, spreadsheet_cell
from k2c.course.results import NOT_MEASURABLE
from k2c.runs.batch.plan import PlannedRun, read_plan
from k2c.runs.batch.store import Store

USED = ("seconds", "peak_memory_mb")  # measured of every run, whatever its lecture records
_FACTS = ("run", "status", "cause", "error", *USED, "attempts", "worker", "started", "page", "claims")


@dataclass(frozen=True)
class Batch:
    """A batch that was read from its folder.

    Attributes
    ----------
    name, lecture, title, profile
        What was run.
    frame
        A row per run, in the order of the plan; see `read_batch_table`.
    parameters
        Every parameter of the lecture.
    swept
        The parameters that vary, without the one that repeats.
    repeat
        The parameter that only repeats (the seed), or None.
    metrics
        The columns with numbers that the runs measured; first what the lecture recorded and claimed.
    guards
        The claims of the lecture, each with a column `<name>: claim` for its status.
    kind
        How the sweep was made, as of `BatchPlan`.
    show
        The metric to show first, if the batch's file or the syllabus names one.
    data
        The user's own data that was read: for each way in which runs differ in it, parameter to what it led to.
    loads
        What loaders read and left out, each with the number of runs in which they did.
    """

    name: str
    lecture: str
    title: str
    profile: str
    frame: pd.DataFrame
    parameters: list[str]
    swept: list[str]
    repeat: str | None
    metrics: list[str]
    guards: list[str]
    kind: str = ""
    show: str = ""
    data: list[dict[str, Any]] = field(default_factory=list)
    loads: list[tuple[dict[str, Any], int]] = field(default_factory=list)

    @property
    def done(self) -> pd.DataFrame:
        """The runs that went through: the rows that plots and comparisons use."""
        return self.frame[self.frame["status"] == "ok"]

    @property
    def constant(self) -> dict[str, Any]:
        """The parameters that are the same in all runs, with their values."""
        varying = {*self.swept, self.repeat}
        return {
            name: self.frame[name].iloc[0]
            for name in self.parameters
            if name not in varying and len(self.frame)
        }

    def what_was_read(self) -> list[str]:
        """Return for the screen what the runs' loaders read and left out, each different report once."""
        return [
            f"In {runs:,} run{'' if runs == 1 else 's'}: {LoadReport(**load)}" for load, runs in self.loads
        ]


def read_batch_table(folder: Path) -> Batch:
    """Read the plan of a batch and the runs that are there.

    Returns
    -------
    Batch
        Its table has the columns `run`, `status` (`not started` where the folder has no such run, `damaged` where
        a checksum does not fit), `cause`, `error`,
        `seconds`, `peak_memory_mb`, `attempts`, `worker`, `started`, `page` (the executed notebook), `claims` (the
        worst status of the lecture's guards), every parameter, every recorded scalar, every guard's value and status,
        `machine.*` and `version.*`. Recorded series stay in the runs' `metrics.json`.

    Raises
    ------
    K2CError
        When the folder has no plan.
    """
    store = Store(folder)
    plan = read_plan(folder)
    rows, guards, measured = [], {}, {}
    loads: Counter[str] = Counter()
    for planned in plan.runs:
        facts, results = _read(store, planned.id)
        row, recorded, claims = _row(folder, planned, facts, results)
        loads.update(json.dumps(load, sort_keys=True) for load in results.get("loads", []))
        rows.append(row)
        measured.update(dict.fromkeys(recorded))
        guards.update(dict.fromkeys(claims))
    frame = pd.DataFrame(rows, columns=_columns(rows))
    parameters = list(plan.runs[0].parameters) if plan.runs else []
    numeric = [name for name in (*measured, *guards) if _is_numeric(frame, name)]
    repeat = plan.repeat
    varied = [name for name in plan.parameters if name != repeat and frame[name].nunique() > 1]
    facts = {key: getattr(plan, key) for key in ("name", "lecture", "title", "profile", "kind", "show")}
    twice = {guard for guard in guards for name in measured if guard in numeric and _same(frame, guard, name)}
    metrics = [*(name for name in dict.fromkeys(numeric) if name not in twice), *USED]
    return Batch(
        **facts,
        frame=frame,
        parameters=parameters,
        swept=varied,
        repeat=repeat,
        metrics=metrics,
        guards=[*guards],
        data=_unique(asdict(planned)["data"] for planned in plan.runs),
        loads=[(json.loads(load), runs) for load, runs in loads.items()],
    )


def write_table(batch: Batch, folder: Path) -> None:
    """Write `results.csv` and `results.parquet`."""
    with atomic_path(folder / "results.csv") as part:
        cells = batch.frame.map(spreadsheet_cell)
        cells.to_csv(part, index=False, header=[spreadsheet_cell(name) for name in batch.frame])
    mixed = [name for name in batch.frame if len({type(value) for value in batch.frame[name].dropna()}) > 1]
    with atomic_path(folder / "results.parquet") as part:
        batch.frame.astype(dict.fromkeys(mixed, "string")).to_parquet(part, index=False)


def _unique(found: Iterable[dict[str, Any] | None]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in dict.fromkeys(json.dumps(entry) for entry in found if entry)]


def _row(
    folder: Path, planned: PlannedRun, facts: dict[str, Any], results: dict[str, Any]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return a run's row, and the names of what was recorded and of what was claimed in it."""
    claims = results.get("guards", [])
    row = _facts(folder, planned.id, facts) | {"claims": _worst(claims)} | planned.parameters
    recorded = {
        _unlike(name, row, "recorded"): _number(value)
        for name, value in results.get("recorded", {}).items()
        if _is_scalar(value)
    }
    row |= recorded
    guards = {_unlike(guard["name"], row, "claimed"): guard for guard in claims}
    row |= {name: _number(guard["value"]) for name, guard in guards.items()}
    row |= {f"{name}: claim": guard["status"] for name, guard in guards.items()}
    row |= {f"machine.{key}": value for key, value in facts.get("machine", {}).items()}
    row |= {f"version.{key}": value for key, value in facts.get("versions", {}).items()}
    shown = {printable(name): _shown(value) for name, value in row.items()}
    return shown, [printable(name) for name in recorded], [printable(name) for name in guards]


def _facts(folder: Path, run: str, facts: dict[str, Any]) -> dict[str, Any]:
    pages = (f"{run}/notebook.html", f"{run}/notebook.ipynb")
    return {
        "run": run,
        "status": facts.get("status", "not started"),
        "cause": facts.get("cause") or "",
        "error": facts.get("error") or "",
        "seconds": facts.get("seconds", math.nan),
        "peak_memory_mb": (facts.get("peak_memory") or math.nan) / 1e6,
        "attempts": facts.get("attempts"),
        "worker": facts.get("worker") or "",
        "started": facts.get("started") or "",
        "page": next((page for page in pages if (folder / page).is_file()), ""),
    }


def _unlike(name: str, taken: dict[str, Any], kind: str) -> str:
    """Return a name for a column that no column has yet."""
    return f"{name} ({kind})" if name in taken else name


def _shown(value: Any) -> Any:
    """Return a value as it may stand in a table: what a notebook recorded or raised is a stranger's text."""
    return plain(value, lines=True) if isinstance(value, str) else value


def _read(store: Store, run: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the facts and the results of a run; of a damaged one only that it is."""
    if damage := store.damage(run):
        warnings.warn(f"The run {run} is left out of the report. {damage}", stacklevel=3)
        return {"status": "damaged", "cause": "its files are damaged", "error": damage}, {}
    return store.facts(run) or {}, store.metrics(run)


def _columns(rows: list[dict[str, Any]]) -> list[str]:
    """Return every column that a row has: what was measured before the machine and the versions."""
    names = dict.fromkeys(name for row in rows for name in row) or dict.fromkeys(_FACTS)
    return sorted(names, key=lambda name: name.startswith(("machine.", "version.")))


def _worst(guards: list[dict[str, Any]]) -> str:
    found = {guard["status"] for guard in guards}
    order = ("failed", "ok", "not claimed", NOT_MEASURABLE)
    return next((status for status in order if status in found), "")


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _number(value: Any) -> Any:
    """Return a value as `k2c.record` was given it: JSON has no NaN and no infinity."""
    if isinstance(value, str) and value in ("nan", "inf", "-inf"):
        return float(value)
    return value


def _same(frame: pd.DataFrame, guard: str, name: str) -> bool:
    """Tell whether a claim is about a value that was recorded, too."""
    both = frame[[guard, name]].dropna()
    return len(both) > 0 and both[guard].tolist() == both[name].tolist()


def _is_numeric(frame: pd.DataFrame, name: str) -> bool:
    values = frame[name].dropna()
    return len(values) > 0 and all(isinstance(value, bool | int | float) for value in values)
