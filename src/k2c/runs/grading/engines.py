"""Which engine keeps submissions in here, and what to install where there is none."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from k2c._system.paths import cache_dir, project_root
from k2c.errors import K2CError
from k2c.runs.grading.bubblewrap import Bubblewrap
from k2c.runs.grading.confinement import (
    SANDBOX,
    Engine,
    Started,
    SubmissionLimits,
    kill,
    usage_of_family,
    variables,
)
from k2c.runs.grading.containers import BUILD, Container

ENGINES = ("bubblewrap", "docker", "podman")
_BUBBLEWRAP = (
    "Install bubblewrap (Debian, Ubuntu: apt install bubblewrap; Fedora, Red Hat: dnf install bubblewrap). "
    f"Docker or Podman do as well, with the kit's image: docker {BUILD}"
)
_CONTAINER = f"Install Docker or Podman, start it, and make the kit's image in its folder: docker {BUILD}"


def find_engine(wanted: str | None = None, hidden: Sequence[Path] = ()) -> Engine:
    """Return the engine of that name, or the first that works here.

    Parameters
    ----------
    wanted
        `bubblewrap`, `docker` or `podman`; None takes the first of them that works.
    hidden
        What no submission may see, wherever it lies: the other submissions.

    Raises
    ------
    K2CError
        When there is none: what was tried, and what to install.
    """
    found: list[Engine] = [Bubblewrap(tuple(hidden)), Container("docker"), Container("podman")]
    problems = {}
    for engine in found:
        if wanted in (None, engine.name):
            problems[engine.name] = engine.problem()
            if not problems[engine.name]:
                return engine
    tried = " ".join(f"{name}: {problem.rstrip('.')}." for name, problem in problems.items())
    raise K2CError(
        f"Grading runs the code of strangers, and nothing here can keep it in. {tried} {advice()} "
        "Or type --unconfined: the submissions can then read and change whatever you can."
    )


def advice() -> str:
    """Return what to install on this system."""
    return _BUBBLEWRAP if sys.platform == "linux" else _CONTAINER


@dataclass(frozen=True)
class Unconfined:
    """No engine: a process of the same user, with limits of time and memory, and nothing else to keep it in."""

    name: str = "none"
    confined: bool = False
    counts_tasks: bool = False
    _folders: dict[int, str] = field(default_factory=dict, repr=False, compare=False)

    def problem(self) -> str:
        """Return an empty string: it always starts."""
        return ""

    def start(self, job: IO[bytes], limits: SubmissionLimits) -> Started:
        """Start the sandbox in a folder for temporary files."""
        work = tempfile.mkdtemp(prefix="k2c-grade-")
        own = variables(limits.threads, str(project_root()), str(cache_dir()), work)
        kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT") if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-P", str(SANDBOX)], stdin=job, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=own | kept, cwd=work, start_new_session=True,
        )  # fmt: skip
        return Started(process, name=work)

    def usage(self, started: Started, limit: int) -> tuple[int, int]:
        """Return the number of processes that it started and the bytes that they hold together."""
        return usage_of_family(started.process.pid, limit)

    def end(self, started: Started) -> None:
        """Kill its processes, children first, so that none is adopted elsewhere; remove its folder."""
        with suppress(psutil.Error):
            own = psutil.Process(started.process.pid)
            for _ in range(100):
                alive = [one for one in own.children(recursive=True) if _alive(one)]
                for one in alive:
                    with suppress(psutil.Error):
                        one.kill()
                if not alive:
                    break
        kill(started.process)
        shutil.rmtree(started.name, ignore_errors=True)

    def describe(self, limits: SubmissionLimits) -> dict[str, str]:
        """Say that nothing keeps a submission in."""
        return {
            "engine": "NONE (--unconfined): each submission could read and change whatever the grader's user can",
            "memory": f"a watchdog over its processes: {limits.memory / 1e9:.1f} GB",
        }


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
