"""A command in the background, in a session of its own, as a terminal has it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid

import numpy as np
import psutil
import pytest
from PIL import Image

MARK = "K2C_TEST_MARK"


class Command:
    """The real command, and all processes that come of it (known by a variable that they inherit)."""

    def __init__(self, folder, words, environment):
        self.mark = uuid.uuid4().hex
        self.log = folder / f"said-{self.mark}.txt"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "k2c", *words],
                cwd=folder,
                env=os.environ | {MARK: self.mark, "PYTHONUNBUFFERED": "1"} | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self):
        return self.log.read_text()

    def wait_for(self, condition, seconds=120):
        until = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, self.said
            time.sleep(0.05)

    def stop(self, number, *, group=True):
        """Send a signal and return the exit status; a minute is time enough on a busy machine."""
        os.killpg(self.process.pid, number) if group else self.process.send_signal(number)
        return self.process.wait(60)

    def left_over(self, seconds=10):
        """Return what still runs some seconds after the end."""
        until = time.monotonic() + seconds
        while (left := list(self._family())) and time.monotonic() < until:
            time.sleep(0.1)
        return left

    def _family(self):
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield process.pid, " ".join(process.cmdline())[:120]


@pytest.fixture
def photographs(tmp_path):
    """Make a folder of eight small photographs of two classes."""
    for number, image in enumerate(np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)):
        path = tmp_path / "photographs" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return tmp_path / "photographs"


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the command in the background; what is left of it is killed afterwards."""
    commands = []

    def begin(*words, **environment):
        commands.append(Command(tmp_path, words, environment))
        return commands[-1]

    yield begin
    for command in commands:
        for pid, _ in command.left_over(0):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
