"""One run: a lecture's notebook executed with its parameters, kept in a folder of its own."""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbformat import NotebookNode
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError

from k2c import __version__
from k2c.machine import describe_machine, package_versions
from k2c.paths import project_root
from k2c.runs.engine import LectureEngine, Step
from k2c.runs.export import write_html
from k2c.runs.results import collect_results, drop_bare_widgets, failing_cell
from k2c.syllabus import Value, load_syllabus

papermill_engines.register("k2c", LectureEngine)
CELL_SECONDS = 3600  # a cell that takes longer than this is taken for hung


@dataclass
class Run:
    """One executed lecture.

    Attributes
    ----------
    lecture, title, profile, parameters
        What was run.
    folder
        Where it is: `notebook.ipynb`, `notebook.html`, `metrics.json`, `run.json` and `log.txt`.
    status
        `ok`, `failed`, `interrupted` or `not started`.
    seconds
        Wall time from the start of the kernel.
    error
        Why it failed, in one line.
    results
        What `k2c.runs.results.collect_results` found.
    """

    lecture: str
    title: str
    profile: str
    parameters: dict[str, Value]
    folder: Path | None = None
    status: str = "not started"
    seconds: float = 0.0
    started: str = ""
    error: str = ""
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The lecture's name and a hash of its source, the package's version and the parameters."""
        return run_id(self.lecture, self.parameters)


def run_id(lecture: str, parameters: Mapping[str, Value]) -> str:
    """Return the name of the run's folder: the same for the same source, package and parameters."""
    notebook = nbformat.read(notebook_path(lecture), as_version=4)
    source = [(cell.cell_type, cell.source) for cell in notebook.cells]
    content = json.dumps([source, __version__, sorted(parameters.items())])
    return f"{lecture}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def notebook_path(lecture: str) -> Path:
    """Return the path of a lecture's notebook."""
    return project_root() / "notebooks" / f"{lecture}.ipynb"


def execute_run(run: Run, out: Path, listener: Callable[[Step], None] | None = None) -> Run:
    """Execute a lecture into `out/<run id>`, and fill in the run's status, time and results.

    The folder appears under its final name when it is complete, also when the lecture failed; a folder of that name
    from an earlier run is replaced. Ctrl-C stops the kernel, keeps what there is, and is raised again.

    Parameters
    ----------
    run
        What to run; changed in place and returned.
    out
        The folder of the batch, made when it is missing.
    listener
        Told of every cell and every printed line.
    """
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out, prefix=f".{run.id}."))
    started = time.monotonic()
    run.started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        run.status, run.error = _execute(run, work, listener)
    except KeyboardInterrupt:
        run.status, run.error = "interrupted", "stopped by Ctrl-C"
        raise
    finally:
        run.seconds = time.monotonic() - started
        _finish(run, work, out / run.id)
    return run


def _execute(run: Run, work: Path, listener: Callable[[Step], None] | None) -> tuple[str, str]:
    target = work / "notebook.ipynb"
    defaults = load_syllabus().lectures[run.lecture].settings()
    # Defaults stand in the notebook already: only what differs is injected.
    changed = {name: value for name, value in run.parameters.items() if value != defaults[name]}
    with (work / "log.txt").open("w", encoding="utf-8") as log:
        try:
            papermill.execute_notebook(
                notebook_path(run.lecture),
                target,
                parameters=changed,
                engine_name="k2c",
                kernel_name="python3",
                progress_bar=False,
                cwd=project_root() / "notebooks",
                stdout_file=log,
                stderr_file=log,
                execution_timeout=CELL_SECONDS,
                listener=listener,
            )
        except PapermillExecutionError as error:
            return "failed", f"{error.ename}: {error.evalue}" if error.ename != "K2CError" else error.evalue
        except Exception as error:
            # A kernel that died or never started: the notebook on disk does not show it.
            log.write(f"{type(error).__name__}: {error}\n")
            return "failed", f"{type(error).__name__}: {error}"
    return "ok", ""


def _finish(run: Run, work: Path, final: Path) -> None:
    target = work / "notebook.ipynb"
    if target.is_file():
        notebook = nbformat.read(target, as_version=4)
        _forget_machine(notebook)
        drop_bare_widgets(notebook)
        nbformat.write(notebook, target)
        run.results = collect_results(notebook)
        if run.status == "failed" and (cell := failing_cell(notebook)):
            run.error = f"cell {cell}: {run.error}"
        write_html(notebook, work / "notebook.html", title=run.title)
    run.folder = final
    _write_json(work / "metrics.json", run.results)
    _write_json(work / "run.json", _facts(run))
    _replace_folder(work, final)


def _forget_machine(notebook: NotebookNode) -> None:
    """Drop papermill's paths; its times a cell stay, they belong to this run."""
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)


def _facts(run: Run) -> dict[str, Any]:
    facts = asdict(run) | {"id": run.id, "machine": describe_machine(), "versions": package_versions()}
    return {key: value for key, value in facts.items() if key not in ("folder", "results")}


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _replace_folder(work: Path, final: Path) -> None:
    work.chmod(0o755)  # mkdtemp makes private folders
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=".old.") as old:
        if final.exists():
            final.replace(Path(old) / final.name)
        work.replace(final)
