"""A SLURM of two nodes on this machine, in a temporary folder, and the files of the page on clusters."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

PATIENCE = 120  # seconds; a loaded machine takes its time
FOLDERS = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"  # daemons are not on everybody's path
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun")
# No accounting and no cgroups: processes and three free ports. Jobs go to the node that has the fewest (CR_LLN).
SETTINGS = """\
ClusterName=k2c
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core,CR_LLN
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobs.log
MpiDefault=none
ReturnToService=2
KillWait=5
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=8000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=8000
PartitionName=main Nodes=n1,n2 Default=YES State=UP
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.slurm)
            if "slurm" not in config.getoption("markexpr"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: make slurm"))


class Slurm:
    """One controller and two nodes, `n1` and `n2`, of two cores each, on the loopback device."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._daemons = folder, []
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": FOLDERS}

    def __enter__(self) -> "Slurm":
        for name in ("munge", "state", "spool.n1", "spool.n2"):
            (self.folder / name).mkdir(mode=0o700)
        user = psutil.Process().username()
        text = SETTINGS.format(host=socket.gethostname(), user=user, folder=self.folder, ports=free_ports(3))
        (self.folder / "slurm.conf").write_text(text)
        munge = self.folder / "munge"
        (munge / "key").write_bytes(os.urandom(1024))
        (munge / "key").chmod(0o400)
        places = {
            "key-file": "key",
            "socket": "socket",
            "pid-file": "pid",
            "log-file": "log",
            "seed-file": "seed",
        }
        # --force: everybody here is one user, so that others cannot reach the socket does no harm.
        self._start(
            "munged",
            "--foreground",
            "--force",
            *(f"--{name}={munge / file}" for name, file in places.items()),
        )
        self.wait_until((munge / "socket").exists)
        self._start("slurmctld", "-D")
        for node in ("n1", "n2"):
            self._start("slurmd", "-D", "-N", node)
        self.wait_until(self.is_idle)
        return self

    def __exit__(self, *_: object) -> None:
        self.command("scancel", "--user", psutil.Process().username(), check=False)
        with contextlib.suppress(AssertionError):
            self.wait_until(lambda: not self.jobs())
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in self._daemons:
            with contextlib.suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            daemon.kill()
        for process in self.processes():  # what outlives its node, as a node that is started again would want
            process.kill()

    def command(self, *words: str, check: bool = True, **options: object) -> str:
        """Run one of SLURM's commands and return what it prints."""
        done = subprocess.run(
            words, env=os.environ | self.environment, text=True, timeout=PATIENCE, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout

    def states(self) -> dict[str, str]:
        """Return the state of each node."""
        lines = self.command("sinfo", "--Node", "--noheader", "--format=%N %T", check=False).splitlines()
        return dict(line.split(maxsplit=1) for line in lines)

    def is_idle(self) -> bool:
        """Tell whether both nodes wait for jobs, and there are none."""
        return self.states() == {"n1": "idle", "n2": "idle"} and not self.jobs()

    def jobs(self) -> dict[str, str]:
        """Return the node of each job that runs, and an empty text for one that waits."""
        lines = self.command("squeue", "--noheader", "--format=%i,%N").splitlines()
        return dict(line.split(",") for line in lines)

    def processes(self) -> list[psutil.Process]:
        """Return all processes of this SLURM: daemons, jobs, and what they started."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("SLURM_CONF") == self.environment["SLURM_CONF"]:
                    found.append(process)
        return found

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for something; in vain, the error shows what SLURM says."""
        limit = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > limit:
                raise AssertionError(
                    "\n".join([self.command("sinfo", "-N", "-l"), self.command("squeue"), *self.logs()])
                )
            time.sleep(0.2)

    def logs(self) -> list[str]:
        """Return what the daemons have said, the end of it."""
        return [f"{log.name}: {log.read_text()[-2000:]}" for log in self.folder.glob("*.log")]

    def _start(self, *words: str) -> None:
        log = self.folder / f"{words[0]}{words[-1] if words[0] == 'slurmd' else ''}.log"
        with log.open("wb") as output:
            self._daemons.append(
                subprocess.Popen(
                    (shutil.which(words[0], path=FOLDERS), *words[1:]),
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )


def free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@pytest.fixture
def free_port() -> int:
    return free_ports(1)[0]


@pytest.fixture(scope="session")
def recipe() -> Callable[[str], str]:
    """Return a function that returns a file that the page shows."""
    page = (Path(__file__).parents[2] / "course/site/clusters.md").read_text(encoding="utf-8")

    def find(name: str) -> str:
        (text,) = re.findall(rf"^```yaml\n# {name}\n(.*?)^```", page, re.S | re.M)
        return str(text)

    return find


@pytest.fixture(scope="session")
def session_slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    if missing := [name for name in PROGRAMS if shutil.which(name, path=FOLDERS) is None]:
        pytest.skip(f"needs {', '.join(missing)}: on Debian, apt install slurm-wlm munge")
    folder = tmp_path_factory.mktemp("slurm")
    with Slurm(folder) as started:
        yield started
    assert started.processes() == []
    if log := os.environ.get("K2C_SLURM_LOGS"):  # a folder, to read what SLURM said
        shutil.copytree(
            folder, log, dirs_exist_ok=True, ignore=shutil.ignore_patterns("munge", "state", "spool*")
        )


@pytest.fixture
def slurm(session_slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """SLURM with two idle nodes and no job; its commands are on the path."""
    for name, value in session_slurm.environment.items():
        monkeypatch.setenv(name, value)
    session_slurm.command("scancel", "--user", psutil.Process().username())
    session_slurm.command(
        "scontrol", "update", "NodeName=n1,n2", "State=RESUME", check=False
    )  # a drained one
    session_slurm.wait_until(session_slurm.is_idle)
    return session_slurm
