"""A fork that has imported already takes the place of a program that another one starts by its command line."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from k2c._system.forkserver import can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="processes cannot be forked here")

OFFER = """
import os, subprocess, sys
from k2c._system.forkserver import substitute

imported = ["once"]  # a Python that is started anew does not have it

def answer():
    print(imported, os.environ["WORD"], input(), flush=True)
    raise ValueError("it ends badly")

where = substitute.serve(answer)
"""
ASK = """
for word in ("one", "two"):
    environment = os.environ | {substitute.SOCKET: where, "WORD": word}
    done = subprocess.run([sys.executable, "-m", substitute.__name__], input="said", env=environment,
                          capture_output=True, text=True, timeout=60)
    print(done.stdout.strip(), "|", done.stderr.strip().splitlines()[-1])
print(os.path.exists(where))
"""


def test_it_has_the_streams_and_the_variables_of_the_program_that_it_stands_in_for():
    done = subprocess.run(
        [sys.executable, "-c", OFFER + ASK], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines() == [
        "['once'] one said | ValueError: it ends badly",
        "['once'] two said | ValueError: it ends badly",
        "True",
    ]


def test_it_ends_with_the_process_that_offered_it():
    with subprocess.Popen(
        [sys.executable, "-c", OFFER + "print(where, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as offering:
        where = offering.stdout.readline().strip()
        (waiting,) = psutil.Process(offering.pid).children()
        offering.kill()
    _, alive = psutil.wait_procs([waiting], 30)
    assert alive == []
    deadline = time.monotonic() + 30
    while Path(where).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(where).exists()


def test_a_server_whose_client_is_gone_before_it_is_ready_leaves_without_a_word():
    ours, theirs = socket.socketpair()
    with subprocess.Popen(
        [sys.executable, "-m", "k2c._system.forkserver.server", str(theirs.fileno()), "[]"],
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        ours.close()
        theirs.close()
        said, complained = server.communicate(timeout=120)
    assert (said, complained, server.returncode) == ("", "", 0)
