"""The report of a batch of runs: one HTML page that needs no network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from k2c._system.atomic import atomic_path
from k2c._system.load_report import LoadReport
from k2c._system.machine import describe_machine, package_versions
from k2c.runs.execution.execute import STATUSES, Run
from k2c.runs.execution.results import first_image
from k2c.runs.reports.pages import render


def write_report(runs: Sequence[Run], out: Path, name: str) -> Path:
    """Write `out/index.html`: every run with its status, time, parameters, results and first image.

    Returns
    -------
    pathlib.Path
        The page.
    """
    page = render(
        "report.html.j2",
        name=name,
        runs=[_card(run) for run in runs],
        counts={status: sum(run.status == status for run in runs) for status in STATUSES},
        seconds=sum(run.seconds for run in runs),
        machine=describe_machine(),
        versions=package_versions(),
    )
    with atomic_path(out / "index.html") as part:
        part.write_text(page, encoding="utf-8")
    return out / "index.html"


def what_was_read(runs: Sequence[Run]) -> list[str]:
    """Return for the screen what each run's loaders read and left out."""
    return [f"{run.lecture}: {LoadReport(**load)}" for run in runs for load in run.results.get("loads", [])]


def _card(run: Run) -> dict[str, Any]:
    notebook_file = run.folder / "notebook.ipynb" if run.folder else None
    image = None
    if notebook_file and notebook_file.is_file():
        image = first_image(nbformat.read(notebook_file, as_version=4))
    present = {path.name for path in run.folder.iterdir()} if run.folder else set()
    return {
        "run": run,
        "image": image,
        "files": present,
        "guards": run.results.get("guards", []),
        "recorded": {
            key: value
            for key, value in run.results.get("recorded", {}).items()
            if not isinstance(value, list)
        },
        "exercises": run.results.get("exercises", {}),
        "loads": run.results.get("loads", []),
    }
