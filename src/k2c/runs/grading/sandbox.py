"""The process that runs one submission inside an engine: executes the notebook and asks for the answers.

Started by path (`python -P sandbox.py`), so that it loads nothing of k2c. It is on the student's side of the wall:
nothing that it reports is a verdict, only values, which `k2c grade` judges in its own process.
"""

import base64
import contextlib
import ctypes
import json
import os
import signal
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

ANSWERS_MIME = "application/vnd.k2c.answers+json"
CELL_BYTES, NOTEBOOK_BYTES, ANSWER_BYTES = 2_000_000, 20_000_000, 1_000_000
_OUTPUTS = ("stream", "display_data", "update_display_data", "execute_result", "error")
_CUT = "\n[the rest was too long to keep]\n"
_PDEATHSIG, _DUMPABLE, _SUBREAPER = 1, 4, 36  # of prctl


def main() -> None:
    """Read a job from standard input (JSON), do it, and report on what was standard output, a line of JSON each."""
    if len(sys.argv) > 1:
        _become(int(sys.argv[1]))
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # again: a change of user forgets it
        prctl(_DUMPABLE, 0, 0, 0, 0)  # no other process of the same user opens its descriptors or memory
    first = os.getpid() == 1
    if first and (child := os.fork()):
        _reap_until(child)
    job = json.load(sys.stdin.buffer)
    with os.fdopen(_private_output(), "w", encoding="ascii", buffering=1) as pipe:
        if job.get("probe"):
            _report(pipe, **_facts())
        else:
            _limit(job)
            end, error = _execute(job, lambda **facts: _report(pipe, **facts))
            _report(pipe, end=end, error=error, peak=_peak())
    while not first:  # where no namespace ends with it: the grader kills it with everything that it started
        time.sleep(60)


def _become(uid: int) -> None:
    """Give up root for a user that nobody on this machine is; with `no_new_privs` there is no way back."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    # Of the capabilities, the set of those that a program may inherit is left, in which no program here is interested.
    ctypes.CDLL(None).capset(struct.pack("Ii", 0x20080522, 0), bytes(24))


def _reap_until(child: int) -> None:
    """Do what the first process of a namespace does, until the child ends: then all others end, too."""
    os.closerange(0, 3)
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(min(255, abs(os.waitstatus_to_exitcode(status))))


def _private_output() -> int:
    """Return a descriptor of the pipe to the grader; what a kernel prints beside its messages goes nowhere."""
    pipe, nowhere = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return pipe


def _report(pipe: IO[str], **facts: Any) -> None:
    pipe.write(json.dumps(facts) + "\n")


def _facts() -> dict[str, Any]:
    """Return what this process may do, for the engine to look at before a stranger's code gets here."""
    import importlib.util
    import socket

    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    kept = {key: status.get(key, "") for key in ("CapEff", "CapPrm", "CapInh", "NoNewPrivs", "Seccomp")}
    needed = ("k2c", "nbclient", "ipykernel", "numpy")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    root = Path(os.environ["K2C_HOME"])
    if not (root / "course/syllabus.yml").is_file():
        missing.append(f"{root}/course/syllabus.yml")
    return kept | {
        "uid": os.getuid(),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "missing": missing,
        "solutions": any((root / "course/solutions").glob("*")),
        "writable": os.access("/", os.W_OK) or os.access("/usr", os.W_OK),
    }


def _limit(job: dict[str, Any]) -> None:
    """Set what the system bounds by itself, for each process; the grader watches over all of them together."""
    if os.name != "posix":
        return
    import resource

    signal.alarm(int(job["seconds"]) + 60)  # in case that nobody waits for it any more
    os.nice(10)  # so that the grader still gets its turn beside a thousand processes
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)  # what it starts stays among its descendants
    gigabyte = 1 << 30
    bounds = {
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": int(job["seconds"] * (os.cpu_count() or 1)) + 60,
        "RLIMIT_FSIZE": job["files"],
        "RLIMIT_MEMLOCK": 1 << 20,
        "RLIMIT_NOFILE": 1024,
        # Private memory that can be written; and all addresses, of which libraries reserve much more than they use.
        "RLIMIT_DATA": job["memory"] + gigabyte,
        "RLIMIT_AS": job["memory"] + 32 * gigabyte,
    }
    if job.get("own_user"):  # it counts a user's processes wherever they run
        bounds["RLIMIT_NPROC"] = job["tasks"]
    for name, bound in bounds.items():
        if sys.platform == "linux" or name in ("RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_FSIZE"):
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
            resource.setrlimit(kind, (bound, bound))


def _peak() -> int:
    """Return the largest memory of one process that ended here, in bytes: for engines that cannot be looked into."""
    if sys.platform != "linux":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _execute(job: dict[str, Any], report: Callable[..., None]) -> tuple[str, str]:
    """Execute the notebook, whatever its cells raise; return `done`, `timed out` or `crashed`, and why."""
    import nbformat
    from nbclient.exceptions import CellTimeoutError

    work = Path(os.environ["TMPDIR"])
    for name in ("home", "submission"):
        (work / name).mkdir()
    _write_helpers(work / "submission", job.get("beside", {}))
    notebook = nbformat.from_dict(job["notebook"])
    client = _client(notebook, work / "submission", time.monotonic() + job["seconds"])
    told: dict[int, int] = {}

    def report_outputs(index: int) -> None:
        outputs = notebook.cells[index].get("outputs", [])
        known = hash(json.dumps(outputs))
        if outputs and told.get(index) != known:
            told[index] = known
            report(of=index, outputs=outputs)

    end, error = "done", ""
    try:
        with client.setup_kernel():
            for index, cell in enumerate(notebook.cells):
                report(cell=index)
                client.execute_cell(cell, index)
                report_outputs(index)
                for check in job["checks"].get(str(index), ()):
                    report(exercise=check["exercise"], answers=_ask(client, check, index))
    except CellTimeoutError:
        end = "timed out"
    except Exception as problem:
        end, error = "crashed", f"{type(problem).__name__}: {problem}"[:500]
    for index in range(len(notebook.cells)):  # a cell that was stopped, or whose output changed later
        report_outputs(index)
    return end, error


def _write_helpers(folder: Path, files: dict[str, str]) -> None:
    """Put the files that a student has handed in beside the notebook there again."""
    for name, content in files.items():
        file = folder / name
        if ".." in file.parts or not file.is_relative_to(folder):
            continue
        with contextlib.suppress(OSError, ValueError):  # a file and a folder of one name, or no room
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(base64.b64decode(content))


def _ask(client: Any, check: dict[str, Any], index: int) -> list[Any] | None:
    """Return what the answer gives for each call, or None; the notebook does not show that it was asked."""
    from nbformat.v4 import new_code_cell

    module = '__import__("k2c.course.exercises", fromlist=["k2c"])'
    arguments = f"{check['calls']!r}, lambda: ({check['answer']}), {check['uses']!r}"
    asked = new_code_cell(f"{module}.print_answers({arguments})")
    kept = client.nb.cells[index]
    try:
        client.execute_cell(asked, index, store_history=False)
    finally:
        client.nb.cells[index] = kept
    shown = [output.data[ANSWERS_MIME] for output in asked.outputs if ANSWERS_MIME in output.get("data", {})]
    return json.loads(shown[-1]) if shown and len(shown[-1]) <= ANSWER_BYTES else None


def _client(notebook: Any, work: Path, deadline: float) -> Any:
    from nbclient import NotebookClient
    from nbformat.v4 import new_output

    class CappedClient(NotebookClient):
        """Keeps what fits; a line says where something was left out."""

        room = NOTEBOOK_BYTES
        used: Counter[int]

        def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] not in _OUTPUTS:
                return super().process_message(msg, cell, cell_index)
            size = 200 + len(json.dumps(msg["content"], default=str))
            if self.used[id(cell)] + size > min(CELL_BYTES, self.room):
                if self.used[id(cell)] <= CELL_BYTES:
                    self.used[id(cell)] = CELL_BYTES + 1
                    cell.outputs.append(new_output("stream", name="stderr", text=_CUT))
                return None
            self.used[id(cell)] += size
            self.room -= size
            return super().process_message(msg, cell, cell_index)

    client = CappedClient(
        notebook,
        allow_errors=True,
        kernel_name="python3",
        timeout_func=lambda cell: max(1, round(deadline - time.monotonic())),
        store_widget_state=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(work)}},
    )
    client.used = Counter()
    return client


if __name__ == "__main__":
    main()
