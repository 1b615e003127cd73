"""Small jobs, some of them faulty, and what is left of the processes that ran them."""

import contextlib
import importlib.util
import os
import sys

import psutil
import pytest
import torch

from k2c.parallel import Job, train
from k2c.training import load_checkpoint

# Children inherit it, so that processes are told from those that another pytest started.
STARTED_BY = "K2C_STARTED_BY_PYTEST"
os.environ[STARTED_BY] = str(os.getpid())

# An experiment in a file of its own, as a student would write it, that goes wrong where it is told to.
FAULTY = """
import time
import torch.distributed as dist
from k2c.errors import K2CError
from k2c.parallel import experiment, find_rendezvous
from k2c.parallel.experiments import blobs
from k2c.training import Callback

class Fault(Callback):
    def __init__(self, kind, rank):
        self.kind, self.rank = kind, rank
    def before_batch(self, learner):
        if find_rendezvous().rank == self.rank and learner.steps == 3:
            if self.kind == "raise":
                raise K2CError("The film 17 has no label. Add one.")
            if self.kind == "bug":
                [][3]
            if self.kind == "hang":
                time.sleep(600)
        if self.kind == "slow":
            time.sleep(0.05)

@experiment("faulty")
def faulty(kind: str = "none", rank: int = 1, epochs: int = 4, batch_size: int = 8, shift: float = 0.0,
           optimizer: str = "sgd"):
    made = blobs(epochs=epochs, batch_size=batch_size, examples=67, valid_examples=0, dtype="float64",
                 optimizer=optimizer)
    made.callbacks = [Fault(kind, rank)]
    return made
"""


@pytest.fixture(scope="session")
def faulty(tmp_path_factory):
    """Return a maker of jobs of the experiment `faulty`."""
    path = tmp_path_factory.mktemp("experiments") / "faulty_experiment.py"
    path.write_text(FAULTY)
    spec = importlib.util.spec_from_file_location("faulty_experiment", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["faulty_experiment"] = module
    spec.loader.exec_module(module)
    return lambda **parameters: Job("faulty", parameters)


@pytest.fixture
def weights(tmp_path):
    """Return a function that trains and returns the weights and the history."""
    used = []

    def run(strategy: str, job: Job, workers: int, **options):
        used.append(strategy)
        folder = tmp_path / f"run{len(used)}"
        history = train(strategy, job, workers, folder=folder, **options)
        return load_checkpoint(folder / "checkpoints")["model"], history

    return run


def difference(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max((one[name] - other[name]).abs().max().item() for name in one)


@pytest.fixture
def apart():
    """Return the largest difference between two sets of weights."""
    return difference


@pytest.fixture(autouse=True)
def nothing_left_behind(request):
    """Every process that a test started has ended when the test has, whoever is its parent now.

    The server that forks workers stays until the tests end.
    """
    yield
    assert not [process for process in psutil.process_iter() if _started_by(request.node.nodeid, process)]


def _started_by(test: str, process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        environment = process.environ()
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if environment.get(STARTED_BY) != os.environ[STARTED_BY]:
            return False
        if "k2c._system.forkserver.server" in process.cmdline():  # the server, or a fork, which looks like it
            return process.ppid() != os.getpid()
        # pytest sets it, and children inherit it
        return environment.get("PYTEST_CURRENT_TEST", "").startswith(f"{test} ")
    return False
