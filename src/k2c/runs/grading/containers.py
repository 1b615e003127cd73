"""Docker or Podman: the kit's own image, with no network and a read-only file system. The way on macOS and Windows."""

import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from k2c._system.paths import cache_dir, project_root
from k2c.runs.grading import visible
from k2c.runs.grading.confinement import WORK, Started, SubmissionLimits, kill, next_number, variables

IMAGE = "k2c"
BUILD = "build -t k2c -f .devcontainer/Dockerfile ."
DATA = "/k2c-data"
# The image's own k2c, wherever it has it: nothing of the package is imported before the wall stands.
_LAUNCH = (
    "from importlib.util import find_spec; from runpy import run_path; "
    "run_path(find_spec('k2c').submodule_search_locations[0] + '/runs/grading/sandbox.py', run_name='__main__')"
)


@dataclass(frozen=True)
class Container:
    """Submissions in containers of the kit's image.

    Attributes
    ----------
    name
        The program: `docker` or `podman`.
    """

    name: str
    confined: bool = True
    counts_tasks: bool = False

    def problem(self) -> str:
        """Ask for the program, its service and the image."""
        if not shutil.which(self.name):
            return "not installed"
        try:
            if self._ask("info").returncode:
                return "installed, but its service does not answer"
            if self._ask("image", "inspect", IMAGE).returncode:
                return f"it has no image {IMAGE}. Make it in the kit's folder: {self.name} {BUILD}"
            user, _ = self._image()
        except (OSError, subprocess.SubprocessError) as error:
            return f"{type(error).__name__}: {error}"
        return (
            "its image runs as root; make it again from .devcontainer/Dockerfile"
            if user in ("", "0", "root")
            else ""
        )

    def start(self, job: IO[bytes], limits: SubmissionLimits) -> Started:
        """Start the sandbox in a container of its own."""
        name = f"k2c-grade-{os.getpid()}-{next_number()}"
        process = subprocess.Popen(
            self.command(limits, name, PurePosixPath(self._image()[1])),
            stdin=job, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        return Started(process, name=name)

    def command(self, limits: SubmissionLimits, name: str, kit: PurePosixPath) -> list[str]:
        """Return the command line for a container of that name, in which the kit lies in the folder `kit`."""
        home = project_root()
        shown = {path: kit / path.relative_to(home).as_posix() for path in visible.of_kit(home)}
        shown |= {Path(__file__).parents[2]: kit / "src/k2c"}
        shown |= {path: PurePosixPath(DATA) / path.name for path in visible.of_cache(cache_dir())}
        mounts = [f"type=bind,source={path},target={inside},readonly" for path, inside in shown.items()]
        environment = variables(limits.threads, str(kit), DATA)
        del environment["PATH"]  # the image's own leads to its Python
        return [
            self.name, "run", "--rm", "--interactive", "--name", name, "--log-driver", "none",
            "--network", "none", "--ipc", "private", "--read-only", "--cap-drop", "ALL",
            "--security-opt", "no-new-privileges", "--pids-limit", str(limits.tasks),
            "--memory", str(limits.memory + limits.files), "--memory-swap", str(limits.memory + limits.files),
            "--cpus", str(limits.threads), "--shm-size", str(limits.files),
            "--tmpfs", f"{WORK}:rw,nosuid,nodev,mode=1777,size={limits.files}",
            "--tmpfs", f"{kit}/course/solutions:ro,size=4096",
            *(word for mount in mounts for word in ("--mount", mount)),
            *(word for key, value in environment.items() for word in ("--env", f"{key}={value}")),
            "--workdir", WORK, IMAGE, "python", "-P", "-c", _LAUNCH,
        ]  # fmt: skip

    def usage(self, started: Started, limit: int) -> tuple[int, int]:
        """Return nothing: the container's own control group keeps it within its limits."""
        return 0, 0

    def end(self, started: Started) -> None:
        """Remove the container with all that runs in it."""
        with suppress(OSError, subprocess.SubprocessError):  # its own limit of time ends it, too
            self._ask("rm", "--force", started.name)
        kill(started.process)

    def describe(self, limits: SubmissionLimits) -> dict[str, str]:
        """Say what keeps a submission in."""
        return {
            "engine": f"{self.name}, image {IMAGE}",
            "user": f"{self._image()[0]} of the image, without capabilities, and with no way to get any",
            "network": "none",
            "files": "the image and the kit without solutions, read-only; "
            f"{limits.files / 1e6:.0f} MB of its own, and as much shared memory",
            "memory": f"the container's limit: {(limits.memory + limits.files) / 1e9:.1f} GB",
            "processes": f"the container's limit: {limits.tasks}",
        }

    def _image(self) -> tuple[str, str]:
        """Return the user and the folder that the image starts with."""
        shown = self._ask("image", "inspect", "--format", "{{.Config.User}} {{.Config.WorkingDir}}", IMAGE)
        user, _, folder = shown.stdout.strip().rpartition(" ")
        return user, folder

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.name, *words], capture_output=True, text=True, timeout=30)
