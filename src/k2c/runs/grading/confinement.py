"""What every engine that keeps a submission in has to offer, and what they share."""

import itertools
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import psutil

from k2c._system.machine import memory_of

SANDBOX = Path(__file__).with_name("sandbox.py")
PROCESSES, TASKS = 64, 256  # a lecture needs a handful of processes, and threads as the machine has cores
WORK = "/tmp"  # inside an engine: the one folder that can be written
_number = itertools.count()


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

    @property
    def files(self) -> int:
        """The bytes that its own files may take, and the same again in shared memory."""
        return min(self.memory // 4, 1 << 30)

    def as_job(self) -> dict[str, Any]:
        """Return what the process inside sets for itself, by `setrlimit` where the system has it."""
        return {"seconds": self.seconds, "memory": self.memory, "tasks": self.tasks, "files": self.files}


@dataclass
class Started:
    """A submission that runs: the process that this one started, and what its engine needs to end it."""

    process: subprocess.Popen[bytes]
    name: str = ""  # of the container
    init: int = -1  # a descriptor of the first process in the namespace


class Engine(Protocol):
    """A way to keep a submission in."""

    @property
    def name(self) -> str:
        """What `--engine` calls it."""

    @property
    def confined(self) -> bool:
        """Whether it keeps a submission in at all."""

    @property
    def counts_tasks(self) -> bool:
        """Whether the system counts a submission's processes apart from all others, so that RLIMIT_NPROC holds."""

    def problem(self) -> str:
        """Return why it cannot be used here, in a sentence, or an empty string."""

    def start(self, job: IO[bytes], limits: SubmissionLimits) -> Started:
        """Start `sandbox.py` inside, with `job` as its standard input; it reports on its standard output."""

    def usage(self, started: Started, limit: int) -> tuple[int, int]:
        """Return the number of processes inside and the bytes of memory that they hold, 0 where that is not seen."""

    def end(self, started: Started) -> None:
        """Kill everything inside, and return when nothing of it is left."""

    def describe(self, limits: SubmissionLimits) -> dict[str, str]:
        """Say what keeps a submission in: by subject, for the report."""


def next_number() -> int:
    """Return another number for each submission of this process."""
    return next(_number)


def variables(threads: int, home: str, cache: str, work: str = WORK) -> dict[str, str]:
    """Return the variables of a submission: none of the grader's own."""
    number = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    own = {name: f"{work}/home" for name in ("HOME", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")}
    k2c = {"K2C_HOME": home, "K2C_DATA": cache, "K2C_OFFLINE": "1", "K2C_STUDENT": "off"}
    plain = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": work, "USER": "student"}
    return plain | own | number | k2c | {"JUPYTER_PREFER_ENV_PATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def usage_of_family(pid: int, limit: int) -> tuple[int, int]:
    """Return the number of a process's descendants and the bytes of memory that they hold together."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0, 0
    memory = memory_of(family[: PROCESSES + 1], "rss")
    if memory > limit and len(family) <= PROCESSES and sys.platform == "linux":
        # Pages that a fork shares count once: slower to read, so only where it decides.
        memory = memory_of(family, "pss")
    return len(family), memory


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that this one started and take note of it, so that no zombie is left."""
    process.kill()
    process.wait()


def kill_namespace(init: int, patience: float = 20.0) -> None:
    """Kill the first process of a namespace, with which the kernel ends all others, and wait until they are gone."""
    import select

    if init < 0 or sys.platform != "linux":
        return
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(init, signal.SIGKILL)
    select.select([init], [], [], patience)
    os.close(init)
