"""A submission in a process of its own: what keeps it in, and who stops it when it goes too far."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from k2c.paths import cache_dir, project_root
from k2c.runs.grading.sandbox import TASKS

SANDBOX = Path(__file__).with_name("sandbox.py")
PROCESSES = 64  # a lecture needs a handful
GRACE = 15.0  # seconds past its time limit in which a sandbox may still save what there is
_NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_KEPT = (
    "PATH",
    "LANG",
    "LC_",
    "LD_LIBRARY_PATH",
    "PYTHON",
    "VIRTUAL_ENV",
    "CONDA",
    "CUDA",
    "NVIDIA",
    "OCL_",
    "POCL_",
)


@dataclass(frozen=True)
class Limits:
    """What one submission may use: wall time in seconds, memory in bytes, threads a library starts."""

    seconds: float
    memory: int
    threads: int


@dataclass
class Outcome:
    """How a submission ended, what it gave for each exercise, and what it used."""

    end: str = ""
    error: str = ""
    cell: int = -1
    answers: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory: int = 0


@dataclass(frozen=True)
class Confinement:
    """What this machine allows to keep a submission in; `describe` says it to people."""

    namespaces: bool
    user_namespace: bool
    files: bool
    pids: Path | None

    @classmethod
    def probe(cls) -> "Confinement":
        """Try what works here: namespaces as root, namespaces of an ordinary user, or neither."""
        as_user = hasattr(os, "geteuid") and os.geteuid() != 0
        confinement = cls(True, as_user, True, None if as_user else _pids_controller())
        if sys.platform == "linux" and shutil.which("unshare"):
            with tempfile.TemporaryDirectory() as folder:
                job = {"work": folder, "probe": True, "memory": 1 << 20} | confinement.job()
                try:
                    done = subprocess.run(
                        confinement.command(Path(folder)),
                        input=json.dumps(job) + "\n", capture_output=True, text=True, timeout=60,
                    )  # fmt: skip
                    found = json.loads(done.stdout or "{}")
                except (OSError, ValueError, subprocess.SubprocessError):
                    found = {}
            if found.get("network"):
                return cls(True, as_user, found["files"], confinement.pids)
        return cls(False, False, False, confinement.pids)

    def job(self) -> dict[str, bool]:
        """Return what the sandbox has to know."""
        return {"namespaces": self.namespaces, "user_namespace": self.user_namespace}

    def command(self, group: Path | None = None) -> list[str]:
        """Return the command that starts a sandbox, in the control group `group` where this machine has them."""
        command = [sys.executable, "-P", str(SANDBOX)]
        if self.namespaces:
            user = ["--user", "--map-root-user"] if self.user_namespace else []
            command = [*_NAMESPACES, *user, "--", *command]
        if self.pids and group:
            command = ["/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', str(group), *command]
        return command

    def describe(self) -> dict[str, str]:
        """Say what keeps a submission from the network, from other files, and from starting processes."""
        bound = (
            f"and a control group or user limit of {TASKS} tasks" if self.pids or self.user_namespace else ""
        )
        return {
            "network": "none: a network namespace of its own"
            if self.namespaces
            else "refused by an audit hook in Python, which code in C gets past",
            "files": "read-only but for a folder of its own"
            if self.files
            else "NOT PROTECTED: a submission can change whatever you can change",
            "processes": f"a watchdog stops it over {PROCESSES} {bound}".rstrip(),
            "time and memory": "a watchdog over all its processes",
        }


def _pids_controller() -> Path | None:
    """Return the folder of this process's control group for pids, where it may make groups in it."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for _, controllers, path in (line.split(":", 2) for line in lines):
        if controllers in ("pids", ""):
            folder = Path("/sys/fs/cgroup") / controllers / path.lstrip("/")
            with _group(folder) as group:
                if group:
                    return folder
    return None


@contextmanager
def _group(parent: Path | None) -> Iterator[Path | None]:
    """Make a control group that bounds the number of tasks; None where that is not allowed."""
    group = parent / f"k2c-grade-{os.getpid()}-{threading.get_ident()}" if parent else None
    try:
        if group:
            group.mkdir()
            (group / "pids.max").write_text(str(TASKS), encoding="ascii")
    except OSError:
        if group and group.is_dir():
            group.rmdir()
        group = None
    try:
        yield group
    finally:
        if group:
            _remove(group)


def _remove(group: Path, patience: float = 10.0) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            return group.rmdir()
        except OSError:  # the last process is not quite gone
            if time.monotonic() > until:
                return None
            time.sleep(0.05)


def run_confined(
    job: dict[str, Any], work: Path, limits: Limits, confinement: Confinement, stop: threading.Event
) -> Outcome:
    """Run one submission, prepared in the folder `work`, within its limits.

    Whatever happens to it, an outcome is returned and none of its processes is left.
    """
    job = job | confinement.job() | {"work": str(work), "seconds": limits.seconds, "memory": limits.memory}
    with _group(confinement.pids) as group, (work / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            confinement.command(group),
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=work, env=_environment(work, limits.threads),
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        try:
            process.stdin.write((json.dumps(job) + "\n").encode())
            process.stdin.flush()
            return _watch(process, work, limits, stop)
        except BrokenPipeError:
            return Outcome("crashed", error="the process did not start; see its log")
        finally:
            _kill(process)


def _environment(work: Path, threads: int) -> dict[str, str]:
    """Return the variables of a sandbox: no secrets of the grader, a home of its own, the data read-only."""
    kept = {key: value for key, value in os.environ.items() if key.startswith((*_KEPT, "K2C_", "SYSTEMROOT"))}
    own = {name: str(work / "home") for name in ("HOME", "TMPDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")}
    (work / "home").mkdir()
    number = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    k2c = {
        "K2C_HOME": str(project_root()),
        "K2C_DATA": str(cache_dir()),
        "K2C_OFFLINE": "1",
        "K2C_STUDENT": "off",
    }
    return kept | own | number | k2c | {"JUPYTER_PREFER_ENV_PATH": "1"}


def _watch(process: subprocess.Popen[bytes], work: Path, limits: Limits, stop: threading.Event) -> Outcome:
    outcome, started = Outcome(), time.monotonic()
    progress = work / "progress.jsonl"
    read = 0
    while True:
        ended = process.poll() is not None
        outcome.seconds = time.monotonic() - started
        read = _follow(progress, read, outcome)
        if ended and not outcome.end:
            outcome.end = "crashed"
        if outcome.end:
            return outcome
        processes, memory = _usage(process.pid, limits.memory)
        outcome.peak_memory = max(outcome.peak_memory, memory)
        if processes > PROCESSES:
            outcome.end = "too many processes"
        elif memory > limits.memory:
            outcome.end = "out of memory"
        elif outcome.seconds > limits.seconds + GRACE:
            outcome.end = "timed out"
        elif stop.wait(0.1):
            outcome.end = "not graded"


def _follow(progress: Path, read: int, outcome: Outcome, at_most: int = 50_000_000) -> int:
    """Read the lines that the sandbox added since; whatever they say, they are a student's words."""
    if not progress.is_file() or read > at_most:
        return read
    with progress.open("rb") as file:
        file.seek(read)
        for line in file:
            if not line.endswith(b"\n"):
                break
            read += len(line)
            try:
                facts = json.loads(line)
                if "exercise" in facts:
                    outcome.answers[str(facts["exercise"])] = facts.get("answers")
                outcome.cell = int(facts.get("cell", outcome.cell))
                outcome.error = str(facts.get("error", outcome.error))[:500]
                if facts.get("end") in ("done", "timed out", "crashed"):
                    outcome.end = facts["end"]
            except (ValueError, TypeError, AttributeError, RecursionError):
                continue
    return read


def _usage(pid: int, limit: int) -> tuple[int, int]:
    """Return the number of processes of a sandbox and the bytes of memory that they hold together."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0, 0
    memory = _memory(family, lambda process: process.memory_info().rss)
    if memory > limit and len(family) <= PROCESSES and sys.platform == "linux":
        # Pages that a fork shares count once: slower to read, so only where it decides.
        memory = _memory(family, lambda process: process.memory_full_info().pss)
    return len(family), memory


def _memory(family: list[psutil.Process], measure: Any) -> int:
    total = 0
    for process in family[: PROCESSES + 1]:
        try:
            total += measure(process)
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def _kill(process: subprocess.Popen[bytes], patience: float = 20.0) -> None:
    """End a sandbox and everything that it started: the children first, so that none is adopted elsewhere."""
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        try:
            family = psutil.Process(process.pid).children(recursive=True)
        except psutil.Error:
            break
        alive = 0
        for member in family:
            try:
                alive += member.status() != psutil.STATUS_ZOMBIE
                member.kill()
            except psutil.Error:
                continue
        if not alive:
            break
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()
