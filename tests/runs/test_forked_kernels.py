"""Kernels are forked from a process that has its imports made, and are kept to their limits."""

import os
import sys
import time

import nbformat
import psutil
import pytest

if sys.platform == "win32":
    pytest.skip("kernels are not forked on Windows", allow_module_level=True)

from k2c.course.syllabus import load_syllabus
from k2c.runs import Run, execute_run
from k2c.runs.execution.forked_kernel import kernel_server
from k2c.runs.execution.limits import Limits, Watch


@pytest.fixture(scope="module")
def server():
    server = kernel_server([], os.environ | {"OMP_NUM_THREADS": "1"})
    yield server
    server.close()


@pytest.fixture
def execute(tiny_course, tmp_path, server):
    def run(limits=None, **changes):
        lecture = load_syllabus().lectures["00_tiny"]
        run = Run("00_tiny", lecture.title, "custom", lecture.settings() | lecture.resolve(changes))
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        return execute_run(run, tmp_path / "out", None, limits or Limits(), server, environment)

    return run


def recorded(run):
    assert run.status == "ok", run.error
    return run.results["recorded"]


def test_a_forked_kernel_gives_what_an_ordinary_one_gives(execute, tmp_path, k2c):
    assert k2c("run", "--out", "plain").returncode == 0
    forked = execute()
    (plain,) = (path for path in (tmp_path / "plain").iterdir() if path.is_dir())
    assert forked.id == plain.name
    assert (plain / "metrics.json").read_text() == (forked.folder / "metrics.json").read_text()


def test_each_kernel_is_a_process_of_its_own(execute, edit_cell, is_alive):
    edit_cell(
        "claim",
        """\
        import os, sys, random, numpy as np, torch
        k2c.record(pid=os.getpid(), group=os.getpgid(0), threads=torch.get_num_threads(),
                   imported="matplotlib.pyplot" in sys.modules, folder=os.getcwd(), student=os.environ["K2C_STUDENT"])
        """,
    )
    first, second = recorded(execute()), recorded(execute(seed=1))
    assert first["pid"] == first["group"] != second["pid"]
    assert (first["threads"], first["imported"], first["student"]) == (1, True, "off")
    assert first["folder"].endswith("notebooks")
    assert not is_alive(first["pid"])


def test_kernels_draw_different_numbers_until_they_are_seeded(execute, edit_cell):
    edit_cell(
        "open",
        """\
        import random, numpy as np, torch, k2c
        k2c.record(drawn=[random.random(), float(np.random.rand()), torch.rand(1).item()])
        profile = k2c.open_lecture("00_tiny", globals())
        k2c.record(seeded=[random.random(), float(np.random.rand()), torch.rand(1).item()])""",
    )
    first, second = recorded(execute()), recorded(execute())
    assert all(a != b for a, b in zip(first["drawn"], second["drawn"], strict=True))
    assert first["seeded"] == second["seeded"]


def test_a_run_over_its_time_limit_is_ended_and_shows_its_cell(execute, edit_cell):
    edit_cell("claim", "print('so far')\nimport time\nfor _ in range(6000): time.sleep(0.1)")
    run = execute(Limits(seconds=2))
    assert (run.status, run.cause) == ("timed out", "over the time limit")
    assert run.error == "It took longer than its time limit of 2 s."
    outputs = nbformat.read(run.folder / "notebook.ipynb", as_version=4).cells[-1].outputs
    assert [output.output_type for output in outputs] in (["stream", "error"], [])


def test_a_run_that_ignores_the_interrupt_is_killed(execute, edit_cell, tiny_course, is_alive):
    edit_cell(
        "claim",
        """\
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        open("pids", "w").write(f"{os.getpid()} {child.pid}")
        time.sleep(2)  # long enough to be seen
        while True:
            try: time.sleep(600)
            except KeyboardInterrupt: pass""",
    )
    run = execute(Limits(seconds=15))
    assert run.status == "timed out"
    for pid in (tiny_course / "notebooks/pids").read_text().split():
        limit = time.monotonic() + 60
        while is_alive(int(pid)):
            assert time.monotonic() < limit
            time.sleep(0.1)


def test_a_run_over_its_memory_limit_is_killed(execute, edit_cell):
    edit_cell(
        "claim", "import time\nhog = []\nwhile True:\n    hog.append(bytearray(30_000_000)); time.sleep(0.1)"
    )
    run = execute(Limits(memory=300_000_000))
    assert (run.status, run.cause) == ("out of memory", "over the memory limit")
    assert run.error == "It took more than its memory limit of 300 MB."
    assert run.peak_memory > 300_000_000
    last = nbformat.read(run.folder / "notebook.ipynb", as_version=4).cells[-1]
    assert last.outputs[-1].evalue == run.error
    assert last.metadata.papermill.status == "failed"


def test_a_kernel_that_dies_is_told_from_one_that_completed(execute, edit_cell):
    edit_cell("check", "import os\nos.kill(os.getpid(), 9)")
    run = execute()
    assert (run.status, run.cause) == ("crashed", "the kernel died (signal 9)")
    *_, died, after = nbformat.read(run.folder / "notebook.ipynb", as_version=4).cells
    assert died.metadata.papermill.status == "failed"
    assert after.metadata.papermill.status == "pending"


def test_runs_end_when_told_to(execute, edit_cell, tiny_course):
    import threading

    edit_cell("claim", "open('running', 'w').close()\nimport time\ntime.sleep(600)")

    def stop():
        while not (tiny_course / "notebooks/running").exists():
            pause.wait(0.1)
        Watch.end_all()

    pause = threading.Event()
    threading.Thread(target=stop, daemon=True).start()
    assert execute().status == "interrupted"


def test_a_server_that_dies_is_started_again(execute, server):
    assert execute().status == "ok"
    psutil.Process(server._connection._process.pid).kill()
    server._connection.lost.wait(60)
    assert execute().status == "ok"
