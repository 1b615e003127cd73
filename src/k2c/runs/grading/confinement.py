"""What keeps a submission in: its limits, namespaces and control group, as far as the machine has them."""

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
from dataclasses import dataclass
from pathlib import Path

from k2c._system.paths import cache_dir, project_root

SANDBOX = Path(__file__).with_name("sandbox.py")
PROCESSES, TASKS = 64, 256  # a lecture needs a handful of processes, and threads as the machine has cores
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
class SubmissionLimits:
    """What one submission may use: wall time in seconds, memory in bytes, threads a library starts."""

    seconds: float
    memory: int
    threads: int

    @property
    def tasks(self) -> int:
        """The processes and threads that the system lets it start."""
        return TASKS + 4 * self.threads


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
                job = {"work": folder, "probe": True, "memory": 1 << 20, "tasks": TASKS} | confinement.job()
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
            f"and the system lets it start no more than {TASKS} and four a core"
            if self.pids or self.user_namespace
            else ""
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
            with control_group(folder, TASKS) as group:
                if group:
                    return folder
    return None


@contextmanager
def control_group(parent: Path | None, tasks: int) -> Iterator[Path | None]:
    """Make a control group that bounds the number of tasks; None where that is not allowed."""
    group = parent / f"k2c-grade-{os.getpid()}-{threading.get_ident()}" if parent else None
    try:
        if group:
            group.mkdir()
            (group / "pids.max").write_text(str(tasks), encoding="ascii")
    except OSError:
        if group and group.is_dir():
            group.rmdir()
        group = None
    try:
        yield group
    finally:
        if group:
            _remove(group)


def _remove(group: Path, patience: float = 60.0) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            return group.rmdir()
        except OSError:  # the last process is not quite gone
            if time.monotonic() > until:
                return None
            time.sleep(0.05)


def environment(work: Path, threads: int) -> dict[str, str]:
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
