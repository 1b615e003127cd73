"""How the processes of a run are started: the kit's own are forked from one that has imported torch, where possible."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from k2c._system.forkserver import ForkedProcess, ForkServer, can_fork
from k2c.errors import K2CError
from k2c.parallel.workers.lifeline import LIFELINE

# What workers import, the experiments' libraries among it.
MODULES = (
    "k2c._system.torchvision_compat:import_torchvision",
    "k2c.parallel.workers.agent",
    "k2c.parallel.workers.worker",
    "k2c.parallel.strategies.parameter_server.worker",
    "k2c.parallel.cost.measure",
    "k2c.parallel.experiments",
    "k2c.datasets.chest.loading",
    "k2c.metrics.multilabel",
    "k2c.models.chexnet",
    "torch._dynamo",  # by DistributedDataParallel
    "pyspark",
)


@dataclass(frozen=True)
class Module:
    """A module of the kit with a function `main`, and its arguments."""

    name: str
    arguments: tuple[str, ...]

    def start(self, log: Path, environment: Mapping[str, str]) -> "ForkedProcess | subprocess.Popen[bytes]":
        """Start it as a fork, or as a Python of its own where processes cannot be forked."""
        if not can_fork():
            return Program((sys.executable, "-m", self.name, *self.arguments)).start(log, environment)
        return _server().fork(
            f"{self.name}:main", self.arguments, environment, Path.cwd(), log, lifeline=True
        )


@dataclass(frozen=True)
class Program:
    """A program and its arguments."""

    command: tuple[str, ...]

    def start(self, log: Path, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start it; its standard input closes when this process ends."""
        with log.open("wb") as output:
            return subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,  # Ctrl-C in a terminal reaches the parent alone, which stops them
            )


def elastic_agent(
    folder: Path, workers: int, restarts: int, worker: str = "k2c.parallel.workers.worker"
) -> Module:
    """Return the agent that starts workers, each running `main` of a module, and restarts them when one dies."""
    return Module("k2c.parallel.workers.agent", (str(folder), str(workers), str(restarts), worker))


def launcher(*command: str) -> Program:
    """Return a program that starts workers itself, as mpirun does, and ends with this process, however that ends."""
    return Program((sys.executable, str(Path(__file__).with_name("lifeline.py")), *command))


def child_environment() -> dict[str, str]:
    """Return the variables of a worker: this process's paths, one thread, talk over the loopback device."""
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return os.environ | {
        LIFELINE: "1",
        "PYTHONPATH": paths,
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", loopback),
        "TP_SOCKET_IFNAME": os.environ.get("TP_SOCKET_IFNAME", loopback),
        "TORCH_CPP_LOG_LEVEL": os.environ.get("TORCH_CPP_LOG_LEVEL", "ERROR"),
    }


def prepare_workers() -> None:
    """Start the process that workers are forked from, and go on while it imports torch and the experiments.

    The first run with several workers starts it otherwise, and waits for it (a few seconds). Does nothing where
    processes cannot be forked, and the second time.
    """

    def start() -> None:
        with contextlib.suppress(K2CError):  # the first run tries again, and says what is wrong
            _server().start()

    if can_fork():
        threading.Thread(target=start, name="k2c workers", daemon=True).start()


@cache
def _server() -> ForkServer:
    """Return this process's server, which ends with it."""
    return ForkServer(MODULES, child_environment())
