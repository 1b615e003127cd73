"""A training run that is killed outright, at random moments, resumes to the same weights.

Three kills by default; `K2C_KILLS=20 pytest -s tests/training/test_kill.py` does twenty and prints each.
"""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from k2c.training import load_checkpoint

KILLS = int(os.environ.get("K2C_KILLS", "3"))
EPOCHS = 60

# Imports once, then runs every training in a process of its own: a line in, its pid and its exit status out.
SERVER = """
import os, pathlib, sys
import torch, torch._dynamo  # which the first optimizer would import in every process
from torch import nn
from k2c.training import Checkpoint, InMemoryLoader, LearningRateSchedule, fit, latest

def train(folder, epochs):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs, targets = torch.randn(400, 64), torch.randint(4, (400,))
    model = nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Dropout(0.2), nn.Linear(256, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    callbacks = [LearningRateSchedule(lambda step: 0.995**step, warm_up_steps=20), Checkpoint(folder, "train_loss")]
    fit(model, InMemoryLoader(inputs, targets, 40, shuffle=True), loss=nn.CrossEntropyLoss(), device="cpu",
        optimizer=optimizer, epochs=epochs, callbacks=callbacks, resume_from=latest(folder))

def die_in_the_fourth_write(instant):
    writes, write, replace = [0], pathlib.Path.write_bytes, pathlib.Path.replace
    def writing(path, content):
        writes[0] += "last" in path.name
        if writes[0] == 4 and instant == "half-written":
            write(path, content[: len(content) // 2])
            os.kill(os.getpid(), 9)
        return write(path, content)
    def renaming(path, target):
        if writes[0] == 4 and instant == "not-renamed":
            os.kill(os.getpid(), 9)
        return replace(path, target)
    pathlib.Path.write_bytes, pathlib.Path.replace = writing, renaming

for line in sys.stdin:
    folder, epochs, instant = line.split()
    pid = os.fork()
    if pid == 0:
        die_in_the_fourth_write(instant)
        train(folder, int(epochs))
        os._exit(0)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork and no SIGKILL")


class Trainer:
    """Starts trainings in processes of their own."""

    def __init__(self):
        command = [sys.executable, "-c", SERVER]
        self.server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self, folder: Path, epochs: int = EPOCHS, instant: str = "never") -> int:
        """Start a training and return its process id."""
        print(folder, epochs, instant, file=self.server.stdin, flush=True)
        return int(self.server.stdout.readline())

    def status(self) -> int:
        """Wait for the training and return its exit status."""
        return int(self.server.stdout.readline())

    def run(self, folder: Path, epochs: int = EPOCHS, instant: str = "never") -> int:
        self.start(folder, epochs, instant)
        return self.status()

    def close(self) -> None:
        self.server.stdin.close()
        self.server.wait()


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    # A server that cannot train at all says nothing about checkpoints: another one is started.
    for _ in range(3):
        trainer = Trainer()
        try:
            if trainer.run(tmp_path_factory.mktemp("warm-up"), 2) == 0:
                break
        except (ValueError, OSError):  # it ended
            trainer.server.kill()
    yield trainer
    trainer.close()


def weights(folder: Path, epochs: int = EPOCHS) -> str:
    state = load_checkpoint(folder)
    assert state["epoch"] == epochs
    content = b"".join(state["model"][name].numpy().tobytes() for name in sorted(state["model"]))
    return hashlib.sha256(content).hexdigest()


def test_killed_runs_resume_to_the_same_weights(tmp_path, trainer):
    began = time.perf_counter()
    assert trainer.run(tmp_path / "whole") == 0
    duration, expected = time.perf_counter() - began, weights(tmp_path / "whole")

    for kill in range(KILLS):
        folder, delay = tmp_path / f"cut{kill}", random.Random().uniform(0, duration)
        pid = trainer.start(folder)
        time.sleep(delay)
        with suppress(ProcessLookupError):  # on a machine whose pace changes, it may have ended already
            os.kill(pid, signal.SIGKILL)
        died = trainer.status() == -signal.SIGKILL
        for file in folder.glob("*.pt"):
            load_checkpoint(file)
        reached = load_checkpoint(folder)["epoch"] if (folder / "last.pt").exists() else "none"
        assert trainer.run(folder) == 0
        assert weights(folder) == expected, f"killed after {delay:.3f} s"
        print(f"kill {kill + 1}: {delay:.3f} s, {died=}, checkpoint of epoch {reached}; same weights")


@pytest.mark.parametrize("instant", ["half-written", "not-renamed"])
def test_a_kill_inside_the_write_leaves_the_checkpoint_before(instant, tmp_path, trainer):
    assert trainer.run(tmp_path / "whole", 5) == 0
    assert trainer.run(tmp_path / "cut", 5, instant) == -signal.SIGKILL
    assert load_checkpoint(tmp_path / "cut")["epoch"] == 2
    assert trainer.run(tmp_path / "cut", 5) == 0
    assert weights(tmp_path / "cut", 5) == weights(tmp_path / "whole", 5)
