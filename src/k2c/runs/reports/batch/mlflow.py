"""The runs of a batch as MLflow stores runs in files, for those who compare theirs there.

The layout is that of MLflow's file store (a folder for each experiment and run, a file for each parameter, metric and
tag; mlflow.org, Backend Stores). It is written here and not by MLflow, whose requirements do not fit the kit's. MLflow
3.17 reads it with MLFLOW_ALLOW_FILE_STORE=true, and `mlflow migrate-filestore` puts it into a database.
"""

import hashlib
import math
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from k2c._system.atomic import atomic_path
from k2c.runs.batch import Store
from k2c.runs.reports.batch.table import Batch

_STATUS = {"ok": 3, "pruned": 3, "interrupted": 5}  # MLflow's FINISHED and KILLED; all others are FAILED
_FAILED = 4


def export_mlflow(batch: Batch, folder: Path, into: Path) -> int:
    """Write the runs of a batch as an experiment of an MLflow file store; one that is there is written again.

    Parameters
    ----------
    batch, folder
        The batch, and where it stands. The runs' artifacts are the files there; nothing is copied.
    into
        The store: what `mlflow ui --backend-store-uri` is given.

    Returns
    -------
    int
        The number of runs.
    """
    name = f"{batch.name} ({batch.lecture})"
    number = str(int(hashlib.sha256(name.encode()).hexdigest()[:14], 16))
    experiment, store = into / number, Store(folder)
    done = batch.frame[batch.frame["started"] != ""]
    times = [datetime.fromisoformat(each).timestamp() for each in done["started"]]
    _write_yaml(
        experiment / "meta.yaml",
        {
            "artifact_location": folder.resolve().as_uri(),
            "creation_time": int(1000 * min(times, default=0)),
            "experiment_id": number,
            "last_update_time": int(1000 * max(times, default=0)),
            "lifecycle_stage": "active",
            "name": name,
        },
    )
    for start, (_, row) in zip(times, done.iterrows(), strict=True):
        _write_run(batch, row, store, experiment, start)
    return len(done)


def _write_run(batch: Batch, row: pd.Series, store: Store, experiment: Path, start: float) -> None:
    run = hashlib.sha256(row["run"].encode()).hexdigest()[:32]
    end = int(1000 * (start + row["seconds"]))
    about = {
        "artifact_uri": (store.folder / row["run"]).resolve().as_uri(),
        "end_time": end,
        "entry_point_name": "",
        "experiment_id": experiment.name,
        "lifecycle_stage": "active",
        "run_id": run,
        "run_name": row["run"],
        "run_uuid": run,
        "source_name": "",
        "source_type": 4,
        "source_version": "",
        "start_time": int(1000 * start),
        "status": _STATUS.get(row["status"], _FAILED),
        "tags": [],
        "user_id": "",
    }
    _write_yaml(experiment / run / "meta.yaml", about)
    for name in ("artifacts", "metrics", "params"):  # MLflow finds no run without them, empty or not
        (experiment / run / name).mkdir(exist_ok=True)
    tags = {"mlflow.runName": row["run"], "k2c.status": row["status"], "k2c.error": row["error"]}
    for kind, values in (("params", row[batch.parameters].to_dict()), ("tags", tags)):
        for name, value in values.items():
            _write(experiment / run / kind / _allowed(name), str(value))
    metrics = {name: [f"{end} {row[name]} 0"] for name in batch.metrics if _is_number(row[name])}
    for step, epoch in enumerate(store.metrics(row["run"]).get("epochs", ()), start=1):
        for name, value in epoch.items():
            metrics.setdefault(f"epoch/{name}", []).append(f"{end} {value} {step}")
    for name, lines in metrics.items():
        _write(experiment / run / "metrics" / _allowed(name), "\n".join(lines) + "\n")


def _is_number(value: Any) -> bool:
    return not isinstance(value, str) and value is not None and math.isfinite(value)


def _allowed(name: str) -> str:
    """Return a name with the characters that MLflow takes, and no path out of its folder."""
    return re.sub(r"\.{2,}|^/|/$", "_", re.sub(r"[^\w\-. /]", "_", name, flags=re.ASCII))


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    _write(path, yaml.safe_dump(content))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", errors="replace")
