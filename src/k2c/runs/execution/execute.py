"""One run: a lecture's notebook executed with its parameters, kept in a folder of its own."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_output

from k2c._system.forkserver import ForkServer
from k2c._system.machine import describe_machine, package_versions
from k2c._system.paths import project_root
from k2c._system.printable import plain
from k2c._system.sealed import seal_json
from k2c.course.syllabus import Value, load_syllabus
from k2c.runs.execution.limits import Limits, Watch
from k2c.runs.execution.own_data import Found, changed_since
from k2c.runs.execution.results import collect_results, drop_bare_widgets, failing_cell
from k2c.runs.execution.seen import Execution, Listener
from k2c.runs.execution.source import notebook_path, run_id

CELL_SECONDS = 3600  # a cell that takes longer than this is taken for hung
STATUSES = ("ok", "failed", "timed out", "out of memory", "crashed", "interrupted", "pruned", "not started")
NO_LIMITS = Limits()
_NO_KERNEL = "the kernel did not start"
DATA_CHANGED = "its data changed"
_SAID = {
    "timed out": "over the time limit",
    "out of memory": "over the memory limit",
    "interrupted": "stopped by Ctrl-C",
    "pruned": "behind other settings",
}


@dataclass
class Run:
    """One executed lecture.

    Attributes
    ----------
    lecture, title, profile, parameters
        What was run.
    data
        What the parameters that are paths led to when it was planned.
    folder
        Where it is: `notebook.ipynb`, `notebook.html`, `metrics.json`, `run.json` and `log.txt`.
    status
        One of `STATUSES`.
    seconds
        Wall time from the start of the kernel.
    error
        Why it failed, in one line.
    cause
        The same in a few words that are equal for equal failures.
    attempts
        How often it was tried, this time included.
    peak_memory
        The most memory that its processes took, in bytes; None when it was too short to be seen.
    worker
        Where it ran: `local`, or the name of a cluster's worker.
    results
        What `k2c.runs.execution.results.collect_results` found.
    """

    lecture: str
    title: str
    profile: str
    parameters: dict[str, Value]
    data: Found = field(default_factory=dict)
    folder: Path | None = None
    status: str = "not started"
    seconds: float = 0.0
    started: str = ""
    error: str = ""
    cause: str = ""
    attempts: int = 1
    peak_memory: int | None = None
    worker: str = "local"
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The lecture's name and a hash of its source, the package's, the parameters and the data."""
        return run_id(self.lecture, self.parameters, self.data)


def execute_run(
    run: Run,
    out: Path,
    listener: Listener | None = None,
    limits: Limits = NO_LIMITS,
    server: ForkServer | None = None,
    environment: dict[str, str] | None = None,
) -> Run:
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
    limits
        What it may take; it is ended there.
    server
        Forks the kernel; without one, an ordinary kernel is started.
    environment
        The kernel's environment; that of this process when it is None.
    """
    out.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=out, prefix=f".{run.id}."))
    folder = str(project_root() / "notebooks")
    # A run is no student's work, and nobody watches its curves grow.
    environment = {"K2C_STUDENT": "off", "K2C_LIVE": "off", "K2C_EPOCHS": "on"} | (
        environment or dict(os.environ)
    )
    asides = bool(run.parameters.get("everything", True))
    execution = Execution(folder, listener, server, environment, asides)
    started = time.monotonic()
    run.started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        _execute(run, work, execution, limits)
        if run.cause == _NO_KERNEL:  # two processes may have been given the same port
            execution = Execution(folder, listener, server, environment, asides)
            _execute(run, work, execution, limits)
        if run.status in ("ok", "failed") and (changed := changed_since(run.data)):
            # Its results would stand under the name of other data.
            run.status, run.error, run.cause = "failed", changed, DATA_CHANGED
    except KeyboardInterrupt:
        run.status, run.error, run.cause = "interrupted", "stopped by Ctrl-C", "stopped by Ctrl-C"
        raise
    finally:
        run.seconds = time.monotonic() - started
        try:
            _finish(run, work, out / run.id, execution)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return run


def keep_failure(run: Run, out: Path) -> Run:
    """Keep a run that never got as far as a notebook, with its status, error and cause."""
    work = Path(tempfile.mkdtemp(dir=out, prefix=f".{run.id}."))
    (work / "log.txt").write_text(f"{run.error}\n", encoding="utf-8")
    _finish(run, work, out / run.id, Execution())
    return run


def place_run(files: Mapping[str, bytes], out: Path, name: str) -> None:
    """Make the folder of a run that was executed elsewhere, from the content of its files."""
    work = Path(tempfile.mkdtemp(dir=out, prefix=f".{name}."))
    try:
        for file, content in files.items():
            (work / file).write_bytes(content)
        _replace_folder(work, out / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _execute(run: Run, work: Path, execution: Execution, limits: Limits) -> None:
    """Execute the notebook and fill in the run's status, error and cause."""
    import papermill  # here: it takes as long as all else that reports, grading and sites need; it knows our engine

    run.status, run.error, run.cause = "ok", "", ""
    defaults = load_syllabus().lectures[run.lecture].settings()
    # Defaults stand in the notebook already: only what differs is injected.
    changed = {name: value for name, value in run.parameters.items() if value != defaults[name]}
    with (work / "log.txt").open("a", encoding="utf-8") as log, Watch(execution, limits, run.id) as watch:
        try:
            papermill.execute_notebook(
                notebook_path(run.lecture),
                None,  # written once, in `_finish`: to write it after every cell costs more than a short cell
                parameters=changed,
                engine_name="k2c",
                kernel_name="python3",
                progress_bar=False,
                stdout_file=log,
                stderr_file=log,
                execution_timeout=CELL_SECONDS,
                execution=execution,
            )
        except Exception as error:
            # A dead kernel leaves a notebook that looks completed: the exception tells.
            run.status, said, cause = _judge(error, execution, watch)
            run.error, run.cause = plain(said, lines=True), plain(cause)
            log.write(f"{run.error}\n")
    run.peak_memory = watch.peak
    if watch.ended and run.status != "ok":
        run.status, run.cause = watch.ended, _SAID[watch.ended]
        run.error = _limit_sentence(watch.ended, limits)


def _judge(error: Exception, execution: Execution, watch: Watch) -> tuple[str, str, str]:
    """Return status, error and cause of a failed execution."""
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    name = type(error).__name__
    if isinstance(error, PapermillExecutionError):
        said = error.evalue if error.ename in ("K2CError", "") else f"{error.ename}: {error.evalue}"
        return "failed", said, error.ename
    if isinstance(error, DeadKernelError):
        code = execution.kernel.poll() if execution.kernel else None
        how = f"signal {-code}" if code and code < 0 else f"exit code {code}"
        return "crashed", f"DeadKernelError: the kernel died ({how})", f"the kernel died ({how})"
    if execution.cell is None:
        return "crashed", f"The kernel did not start: {name}: {error}", _NO_KERNEL
    return "failed", f"{name}: {error}", name


def _limit_sentence(ended: str, limits: Limits) -> str:
    if ended == "timed out":
        return f"It took longer than its time limit of {limits.seconds:g} s."
    if ended == "out of memory":
        return f"It took more than its memory limit of {(limits.memory or 0) / 1e6:,.0f} MB."
    if ended == "pruned":
        return "The search ended it early: after as many epochs, other settings were further."
    return "stopped by Ctrl-C"


def _finish(run: Run, work: Path, final: Path, execution: Execution) -> None:
    from k2c.runs.reports.export import write_html

    notebook = execution.notebook
    if notebook is not None:
        _forget_machine(notebook)
        drop_bare_widgets(notebook)
        cell = failing_cell(notebook)
        if run.status == "failed" and cell:
            run.error, run.cause = f"cell {cell}: {run.error}", f"{run.cause} in cell {cell}"
        elif run.status not in ("ok", "failed"):
            _say_in_notebook(notebook, run, execution.cell)
        run.results = collect_results(notebook) | {"epochs": execution.epochs}
        nbformat.write(notebook, work / "notebook.ipynb")
        write_html(notebook, work / "notebook.html", title=run.title)
    run.folder = final
    _write_json(work / "metrics.json", run.results)
    _write_json(work / "run.json", _facts(run))
    _replace_folder(work, final)


def _say_in_notebook(notebook: NotebookNode, run: Run, cell: int | None) -> None:
    """Put the reason into the cell that was running: a kernel that was killed could not, and papermill does not."""
    if cell is None or failing_cell(notebook):
        return
    said = new_output("error", ename=run.status, evalue=run.error, traceback=[run.error])
    notebook.cells[cell].outputs.append(said)
    for later, entry in enumerate(notebook.cells[cell:]):
        entry.metadata.papermill.update(status="pending" if later else "failed", exception=not later)


def _forget_machine(notebook: NotebookNode) -> None:
    """Drop papermill's paths; its times per cell stay, they belong to this run."""
    for key in ("input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)


@cache
def _place() -> dict[str, Any]:
    return {"machine": describe_machine(), "versions": package_versions()}


def _facts(run: Run) -> dict[str, Any]:
    facts = asdict(run) | {"id": run.id} | _place()
    return {key: value for key, value in facts.items() if key not in ("folder", "results")}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(seal_json(content), indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8", errors="backslashreplace")  # a file's name may be no text


def _replace_folder(work: Path, final: Path) -> None:
    work.chmod(0o755)  # mkdtemp makes private folders
    with tempfile.TemporaryDirectory(dir=final.parent, prefix=f".{final.name}.") as old:
        if final.exists():
            final.replace(Path(old) / final.name)
        work.replace(final)
