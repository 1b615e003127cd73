"""bubblewrap: the program with which Linux distributions keep desktop applications in. No daemon, no root needed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from k2c._system.paths import cache_dir, project_root
from k2c.runs.grading import visible
from k2c.runs.grading.confinement import (
    PROCESSES,
    SANDBOX,
    WORK,
    Started,
    SubmissionLimits,
    kill,
    kill_namespace,
    next_number,
    usage_of_family,
    variables,
)
from k2c.runs.grading.seccomp import filter_for

NOBODY = 65534
SYSTEMD = Path("/run/systemd/system")  # is there where systemd runs this machine
_ETC = ("ld.so.cache", "alternatives", "OpenCL", "fonts", "localtime")
_SYSTEM = [
    *(Path("/etc", name) for name in _ETC),
    Path("/sys/devices/system"),
]  # the last: what processors there are
_ROOTS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass(frozen=True)
class Bubblewrap:
    """Submissions in namespaces of their own, with no root but the file system that is built here.

    Attributes
    ----------
    hidden
        Files and folders that no submission may see, wherever they lie.
    """

    hidden: tuple[Path, ...] = ()
    name: str = "bubblewrap"
    confined: bool = True
    _kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def counts_tasks(self) -> bool:
        """Whether RLIMIT_NPROC is a submission's own: by its user, or since Linux 5.14 by its namespace of users."""
        release = tuple(int(word) for word in re.findall(r"\d+", os.uname().release)[:2])
        return os.geteuid() == 0 or release >= (5, 14)

    def problem(self) -> str:
        """Start a probe inside, and look at what it may do."""
        if sys.platform != "linux" or not shutil.which("bwrap"):
            return "not installed" if sys.platform == "linux" else "for Linux only"
        try:
            with tempfile.TemporaryFile() as job:
                job.write(b'{"probe": true}')
                job.seek(0)
                started = self.start(job, SubmissionLimits(60, 1 << 30, 1))
                try:
                    out, err = started.process.communicate(timeout=60)
                finally:
                    self.end(started)
            facts = json.loads(out or b"{}")
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return f"{type(error).__name__}: {error}"
        if not facts:
            said = err.decode(errors="replace").strip().splitlines() or ["it says nothing"]
            old = "; version 0.8 or newer is needed" if "Unknown option" in said[-1] else ""
            return f"it does not start here: {said[-1]}{old}"
        return _problem_of(facts, facts["Seccomp"] == "2" or filter_for() is None)

    def start(self, job: IO[bytes], limits: SubmissionLimits) -> Started:
        """Start the sandbox in a file system that is built for it."""
        read, write = os.pipe()
        with ExitStack() as stack:
            stack.callback(os.close, write)
            uid = _unused_uid() if os.geteuid() == 0 else NOBODY
            known = {
                "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
                "/etc/passwd": f"student:x:{uid}:{uid}::{WORK}/home:/bin/sh\n",
            }
            files = {name: _readable(stack, text.encode()) for name, text in known.items()}
            rules = filter_for()
            if rules:
                files["seccomp"] = _readable(stack, rules)
            process = subprocess.Popen(
                [*self._scope(limits), *self.command(limits, uid, write, files)], stdin=job, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, pass_fds=[write, *files.values()], env=self._surroundings(),
                start_new_session=True,
            )  # fmt: skip
        with os.fdopen(read, "rb") as told:
            said = told.read(4096)
        return Started(process, init=_pidfd(said))

    def command(self, limits: SubmissionLimits, uid: int, told: int, files: dict[str, int]) -> list[str]:
        """Return bubblewrap's command line.

        Parameters
        ----------
        uid
            The user inside.
        told
            The descriptor on which bubblewrap says which process is the first inside.
        files
            The descriptors of small files, by their path inside; `seccomp` is the filter of system calls.
        """
        as_root = os.geteuid() == 0
        # Root keeps what it needs to become a user that nobody is; others are in a namespace of users already.
        user = (
            ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
            if as_root
            else ["--unshare-user", "--disable-userns", "--uid", str(uid), "--gid", str(uid)]
        )
        home, cache = project_root(), cache_dir()
        return [
            "bwrap", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
            "--unshare-cgroup-try", "--hostname", "localhost",
            "--die-with-parent", "--new-session", "--as-pid-1", "--info-fd", str(told), "--cap-drop", "ALL", *user,
            *self._files(limits, home, cache), *_small_files(files), "--remount-ro", "/", "--clearenv",
            *_flags("--setenv", self._variables(limits, home, cache)), "--chdir", WORK,
            sys.executable, "-P", str(SANDBOX), *([str(uid)] if as_root else []),
        ]  # fmt: skip

    def _files(self, limits: SubmissionLimits, home: Path, cache: Path) -> list[str]:
        roots = [Path("/", name) for name in _ROOTS]
        links = {one: one.readlink() for one in roots if one.is_symlink()}
        system = [Path("/usr"), *(one for one in roots if one.is_dir() and one not in links)]
        seen = [*self._python(), *visible.of_kit(home), *visible.of_cache(cache)]
        size, shared = (
            ["--size", str(limits.files), "--perms", "1777", "--tmpfs", one] for one in (WORK, "/dev/shm")
        )
        return [
            *_twice("--ro-bind", system), *(word for one in links for word in ("--symlink", str(links[one]), str(one))),
            *_parents(_SYSTEM), *_twice("--ro-bind-try", _SYSTEM), "--proc", "/proc", "--dev", "/dev",
            "--remount-ro", "/dev", *shared, *size, *_parents([*seen, SANDBOX]),
            *_twice("--ro-bind", [*seen, SANDBOX]),
        ]  # fmt: skip

    def _python(self) -> list[Path]:
        if "python" not in self._kept:
            self._kept["path"] = visible.python_path()
            hidden = (*self.hidden, project_root() / "course/solutions")
            self._kept["python"] = visible.of_python(self._kept["path"], hidden)
        found: list[Path] = self._kept["python"]
        return found

    def _variables(self, limits: SubmissionLimits, home: Path, cache: Path) -> dict[str, str]:
        self._python()
        path = os.pathsep.join(self._kept["path"])
        own = variables(limits.threads, str(home), str(cache))
        return own | {"PYTHONPATH": path, "PATH": f"{Path(sys.executable).parent}:{own['PATH']}"}

    def _scope(self, limits: SubmissionLimits) -> list[str]:
        """Return the words that put a submission into a control group of systemd's, where systemd delegates one."""
        if "scope" not in self._kept:
            self._kept["scope"] = _systemd_scope(self._surroundings())
        words: list[str] = self._kept["scope"]
        bounds = {"MemoryMax": limits.memory + limits.files, "MemorySwapMax": 0, "TasksMax": limits.tasks}
        return (
            [*words, *(word for key in bounds for word in ("-p", f"{key}={bounds[key]}")), "--"]
            if words
            else []
        )

    def _surroundings(self) -> dict[str, str]:
        """Return bubblewrap's own variables, which /proc shows inside: no more than it and systemd-run need."""
        needed = ("PATH", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
        return {name: os.environ[name] for name in needed if name in os.environ}

    def usage(self, started: Started, limit: int) -> tuple[int, int]:
        """Return the number of processes inside and the bytes that they hold together."""
        return usage_of_family(started.process.pid, limit)

    def end(self, started: Started) -> None:
        """Kill everything inside, and return when nothing of it is left."""
        kill_namespace(started.init)
        kill(started.process)

    def describe(self, limits: SubmissionLimits) -> dict[str, str]:
        """Say what keeps a submission in."""
        said = subprocess.run(["bwrap", "--version"], capture_output=True, text=True, timeout=10)
        groups = bool(self._scope(limits))
        by = (
            "a control group of systemd"
            if groups
            else "a watchdog over all processes, and RLIMIT_DATA for each"
        )
        user = (
            "one that nobody on this machine is" if os.geteuid() == 0 else "nobody, in a namespace of users"
        )
        return {
            "engine": said.stdout.strip() or self.name,
            "user": f"{user}, without capabilities, and with no way to get any",
            "network": "none: a network namespace of its own",
            "files": "the system's programs, Python, its packages and the kit without solutions, read-only; "
            f"{limits.files / 1e6:.0f} MB of its own, and as much shared memory",
            "memory": f"{by}: {limits.memory / 1e9:.1f} GB",
            "processes": f"a watchdog stops it over {PROCESSES}; the system starts no more than {limits.tasks}",
            "system calls": "those for other namespaces and for memory that is not counted are refused"
            if filter_for()
            else "not filtered: this processor's numbers are not known to the kit",
        }


def _problem_of(facts: dict[str, Any], filtered: bool) -> str:
    expected = {
        "it runs as root inside": facts["uid"] != 0,
        "it keeps capabilities inside": not any(int(facts[key], 16) for key in facts if key.startswith("Cap")),
        "new privileges are possible inside": facts["NoNewPrivs"] == "1",
        "system calls are not filtered inside": filtered,
        "there is a network inside": facts["interfaces"] == ["lo"],
        "the solutions can be read inside": not facts["solutions"],
        "the system can be written inside": not facts["writable"],
        f"{', '.join(facts['missing'])} cannot be read inside; folders above it must be open to all users":
            not facts["missing"],
    }  # fmt: skip
    return "; ".join(wrong for wrong, right in expected.items() if not right)


def _systemd_scope(surroundings: dict[str, str]) -> list[str]:
    if not SYSTEMD.is_dir() or not shutil.which("systemd-run"):
        return []
    user = [] if os.geteuid() == 0 else ["--user"]
    words = ["systemd-run", *user, "--scope", "--quiet", "--collect"]
    try:
        tried = subprocess.run(
            [*words, "-p", "MemoryMax=1G", "-p", "TasksMax=64", "--", "true"],
            capture_output=True, timeout=20, env=surroundings,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return words if tried.returncode == 0 else []


def _unused_uid() -> int:
    """Return the number of a user that nobody is, another for each submission: the system counts by user."""
    first, _, count = map(int, Path("/proc/self/uid_map").read_text(encoding="ascii").split()[-3:])
    top = min(first + count, 1 << 31) - 2
    return top - (os.getpid() % 500) * 64 - next_number() % 64


def _readable(stack: ExitStack, content: bytes) -> int:
    """Return a descriptor to read a few bytes from: a pipe, which holds more than these."""
    read, write = os.pipe()
    stack.callback(os.close, read)
    with os.fdopen(write, "wb") as pipe:
        pipe.write(content)
    return read


def _small_files(files: dict[str, int]) -> Iterator[str]:
    for path, number in files.items():
        if path == "seccomp":
            yield from ("--seccomp", str(number))
        else:
            yield from ("--perms", "0444", "--ro-bind-data", str(number), path)


def _pidfd(said: bytes) -> int:
    try:
        return os.pidfd_open(json.loads(said)["child-pid"]) if sys.platform == "linux" else -1
    except (ValueError, KeyError, OSError):  # bubblewrap did not get that far: its standard error says why
        return -1


def _flags(option: str, values: dict[str, str]) -> Iterator[str]:
    for key, value in values.items():
        yield from (option, key, value)


def _twice(option: str, paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        yield from (option, str(path), str(path))


def _parents(paths: list[Path]) -> Iterator[str]:
    """Make the folders above what is shown: open to all, though those of the machine may not be."""
    folders = sorted({folder for path in paths for folder in path.parents})
    for folder in folders:
        if len(folder.parts) > 1 and not folder.is_relative_to("/usr"):
            yield from ("--perms", "0755", "--dir", str(folder))
