"""The report of a batch: one HTML page that needs no network, with the table beside it as CSV and Parquet."""

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from k2c._system.atomic import atomic_path
from k2c._system.machine import describe_machine
from k2c.runs.batch import Store, read_plan
from k2c.runs.reports.batch.plots import figures
from k2c.runs.reports.batch.table import USED, Batch, read_batch_table, write_table
from k2c.runs.reports.pages import render

MOST_METRICS = 40
ROUNDING = 1e-4  # numbers that are all smaller say that two ways to calculate agree


def write_batch_report(folder: Path, batch: Batch | None = None) -> Path:
    """Write `index.html`, `results.csv` and `results.parquet` into the folder of a batch.

    Parameters
    ----------
    folder
        Of the batch.
    batch
        What stands in it, where it has been read already.

    Returns
    -------
    pathlib.Path
        The page.
    """
    batch = batch or read_batch_table(folder)
    write_table(batch, folder)
    metrics = _by_interest(batch)
    page = render(
        "batch.html.j2",
        batch=batch,
        counts=batch.frame["status"].value_counts().to_dict(),
        shape=_shape(batch),
        advice="" if batch.kind == "search" else _advice(batch),
        seconds=float(batch.frame["seconds"].sum()),
        metrics=metrics,
        failures=_failures(batch),
        guards=_guards(batch),
        machines=_machines(batch),
        versions=_distinct(batch, "version."),
        plots={
            metric: [json.loads(figure.to_json()) for figure in figures(batch, metric)] for metric in metrics
        },
        table=_table(batch, metrics),
        search=_search(folder),
        plotly=Markup(get_plotlyjs()),
    )
    with atomic_path(folder / "index.html") as part:
        part.write_text(page, encoding="utf-8", errors="replace")
    return folder / "index.html"


def _search(folder: Path) -> dict[str, Any] | None:
    plan = read_plan(folder)
    if plan.search is None:
        return None
    from k2c.runs.reports.batch.search import describe_search  # here: Optuna takes a second to import

    return describe_search(plan, Store(folder))


def _by_interest(batch: Batch) -> list[str]:
    """Return the metrics to choose from, first the one that the batch or the syllabus names.

    Where that was not measured, it is the one that the sweep moves most against the repeats' noise. After it come those
    that differ between runs, those that do not, differences of rounding, and what every run measures.
    """
    varies = {name: batch.done[name].nunique() > 1 for name in batch.metrics}
    rounding = {name: batch.done[name].abs().max() < ROUNDING for name in batch.metrics}
    ordered = sorted(batch.metrics, key=lambda name: (name in USED, rounding[name], not varies[name]))
    ordered = [name for name in ordered if name == batch.show] + [
        name for name in ordered if name != batch.show
    ]
    ordered = ordered[:MOST_METRICS]
    if ordered[0] != batch.show:
        first = max(ordered, key=lambda name: 0.0 if rounding[name] else _explained(batch, name))
        ordered = [first, *(name for name in ordered if name != first)]
    return ordered


def _advice(batch: Batch) -> str:
    """Say what the points lack; nothing where every setting was repeated."""
    if batch.done.empty or not batch.swept or batch.done.groupby(batch.swept).size().min() > 1:
        return ""
    seed = batch.repeat or ("seed" if "seed" in batch.parameters and "seed" not in batch.swept else "")
    how = f" Add `repeats: {{{seed}: [0, 1, 2]}}` to the batch file." if seed else ""
    return f"A setting that ran once has no interval: nobody knows how much of a difference is chance.{how}"


def _explained(batch: Batch, metric: str) -> float:
    """Return the fraction of a metric's variance that lies between settings; 0 where nothing tells it from noise."""
    if metric in USED or not batch.swept or batch.done[metric].nunique() < 2:
        return 0.0
    values = batch.done[metric].astype(float)
    settings = values.groupby([batch.done[name] for name in batch.swept])
    spread = float(((values - values.mean()) ** 2).sum())
    inside = float(((values - settings.transform("mean")) ** 2).sum())
    repeated = int(settings.count().max() or 0) > 1
    return 1 - inside / spread if repeated and spread > 0 else 0.0


def _shape(batch: Batch) -> str:
    counts = [f"{batch.frame[name].nunique()} {name}" for name in batch.swept]
    if not batch.swept:
        return "one setting"
    settings = len(batch.frame[batch.swept].drop_duplicates())
    grid = settings == math.prod(batch.frame[name].nunique() for name in batch.swept)
    return " × ".join(counts) if grid else f"{settings} settings of {', '.join(batch.swept)}"


def _failures(batch: Batch) -> list[dict[str, Any]]:
    """Return the runs that did not go through, grouped by their cause, the most frequent first."""
    failed = batch.frame[~batch.frame["status"].isin(["ok", "pruned", "not started"])]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for _, row in failed.iterrows():
        settings = ", ".join(f"{name} = {_short(row[name])}" for name in [*batch.swept, batch.repeat] if name)
        entry = {"run": row["run"], "page": row["page"], "settings": settings, "error": row["error"]}
        groups[row["status"], row["cause"] or row["error"] or "no reason kept"].append(entry)
    found = [{"status": status, "cause": cause, "runs": runs} for (status, cause), runs in groups.items()]
    return sorted(found, key=lambda group: -len(group["runs"]))


def _guards(batch: Batch) -> list[dict[str, Any]]:
    return [{"name": name, **batch.frame[f"{name}: claim"].value_counts().to_dict()} for name in batch.guards]


def _machines(batch: Batch) -> dict[str, str]:
    return _distinct(batch, "machine.") or describe_machine()


def _distinct(batch: Batch, prefix: str) -> dict[str, str]:
    """Return what the runs say under a prefix; where they differ, every value."""
    columns = [name for name in batch.frame if name.startswith(prefix)]
    values = {name.removeprefix(prefix): batch.frame[name].dropna().unique() for name in columns}
    return {name: "; ".join(map(str, found)) for name, found in values.items()}


def _table(batch: Batch, metrics: list[str]) -> dict[str, Any]:
    """Return the runs as the page's script shows them: columns, and a list of values per run."""
    varied = [name for name in [*batch.swept, batch.repeat] if name]
    names = ["status", *varied, *metrics, "claims", "worker", "attempts"]
    shown = [name for name in names if batch.frame[name].notna().any() and (batch.frame[name] != "").any()]
    columns = [{"name": name, **_kind(batch, name, metrics)} for name in shown]
    rows = [[_json(value) for value in row] for row in batch.frame[shown].itertuples(index=False, name=None)]
    return {
        "columns": columns,
        "rows": rows,
        "pages": batch.frame["page"].tolist(),
        "runs": batch.frame["run"].tolist(),
    }


def _kind(batch: Batch, name: str, metrics: list[str]) -> dict[str, Any]:
    """Say how a column is shown: parameters as they were given, measured numbers with as many places each."""
    values = batch.frame[name].dropna()
    if not pd.api.types.is_numeric_dtype(values.dtype):
        return {"number": False}
    largest = values.abs().replace(math.inf, math.nan).max() if name in metrics and not _whole(values) else 0
    places = min(6, max(0, 3 - math.floor(math.log10(largest)))) if largest and largest > 0 else None
    return {"number": True, "places": places}


def _whole(values: pd.Series) -> bool:
    return bool((values == values.round()).all())


def _short(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _json(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return None if value is pd.NA or value is pd.NaT else value
