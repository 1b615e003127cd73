"""A batch runs what is missing, keeps what failed, and survives being stopped, killed and started twice."""

import json
import math
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter

import pandas as pd
import pytest

# A cell that writes down each start of a run, with its kernel, beside the notebook.
COUNTING = """\
import os, time
with open("started", "a") as file:
    file.write(f"{steps} {os.getpid()}\\n")
time.sleep(rate)
k2c.record(total=steps * rate)
"""


@pytest.fixture
def batch(tiny_course, tmp_path, k2c):
    """Return a function that starts a batch in the background, and one that waits for its end."""

    def write(text):
        (tmp_path / "trial.yml").write_text("lecture: 00\n" + textwrap.dedent(text))

    return write


def start(tmp_path, *words):
    command = [sys.executable, "-m", "k2c", "batch", *words, "--out", "out", "--workers", "2"]
    return subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def facts(tmp_path):
    """Return the `run.json` of the runs that are there, by the value of `steps`."""
    found = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("00_tiny-*/run.json")]
    by_steps = {entry["parameters"]["steps"]: entry for entry in found}
    assert len(by_steps) == len(found)
    return by_steps


def starts(tiny_course):
    """Return (steps, pid) of every start of a run."""
    file = tiny_course / "notebooks/started"
    return [tuple(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []


def wait_until(process, condition):
    while not condition():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)


def wait_for_kernels_to_end(tiny_course, is_alive):
    pids = [pid for _, pid in starts(tiny_course)]
    limit = time.monotonic() + 60
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < limit, alive
        time.sleep(0.1)


def test_failures_are_kept_by_cause_and_the_others_go_on(batch, tiny_course, tmp_path, k2c, edit_cell):
    edit_cell(
        "claim",
        """\
        import os, time
        if steps == 1: raise ValueError("no")
        if steps == 2: k2c.guard("a claim", 0, low=1)
        if steps == 3: os._exit(3)
        if steps == 4: hog = b"x" * 900_000_000; time.sleep(600)
        if steps == 5 and not os.path.exists("tried"): open("tried", "w").close(); os._exit(3)
        """,
    )
    batch("sweep: {grid: {steps: [1, 2, 3, 4, 5, 6]}}\nlimits: {memory: 600 MB, retries: 1}\n")
    result = k2c("batch", "trial.yml", "--out", "out")
    assert result.returncode == 1, result.stderr
    told = {
        steps: (entry["status"], entry["cause"], entry["attempts"])
        for steps, entry in facts(tmp_path).items()
    }
    assert told == {
        1: ("failed", "ValueError in cell 5", 2),
        2: ("failed", "GuardError in cell 5", 1),  # what does not hold will not hold when it is tried again
        3: ("crashed", "the kernel died (exit code 3)", 2),
        4: ("out of memory", "over the memory limit", 1),
        5: ("ok", "", 2),
        6: ("ok", "", 1),
    }
    assert "6 runs: " in result.stdout
    assert (tmp_path / "out/index.html").is_file()


def test_only_what_changed_is_run_again(batch, tiny_course, tmp_path, k2c, edit_cell):
    edit_cell("claim", COUNTING)
    batch("sweep: {grid: {steps: [1, 2]}}\nfixed: {rate: 0}\n")
    assert k2c("batch", "trial.yml", "--out", "out").returncode == 0
    batch("sweep: {grid: {steps: [1, 2, 3]}}\nfixed: {rate: 0}\n")
    assert k2c("batch", "trial.yml", "--out", "out").returncode == 0
    assert [steps for steps, _ in starts(tiny_course)].count(3) == 1
    assert len(starts(tiny_course)) == 3
    edit_cell("claim", COUNTING + "# changed")
    shown = k2c("batch", "resume", "out").stdout
    assert "3 runs: 3 ok." in shown
    assert len(starts(tiny_course)) == 6


@pytest.mark.parametrize("name", ["run.json", "metrics.json"])
def test_a_damaged_run_is_left_out_of_the_report_and_runs_again(name, batch, tmp_path, k2c):
    batch("sweep: {grid: {steps: [1, 2]}}\n")
    assert k2c("batch", "trial.yml", "--out", "out").returncode == 0
    (path,) = (
        p for p in (tmp_path / "out").glob(f"*/{name}") if '"steps": 2' in p.with_name("run.json").read_text()
    )
    changed = path.read_text().replace('"steps": 2', '"steps": 3').replace('"total": 1.0', '"total": 1.5')
    path.write_text(changed)
    told = k2c("batch", "report", "out").stderr
    assert f"Warning: The run {path.parent.name} is left out of the report." in told
    assert f"{name} is damaged: its content and its SHA-256 do not fit." in told
    table = pd.read_csv(tmp_path / "out/results.csv").set_index("run")
    assert sorted(table["status"]) == ["damaged", "ok"]
    assert math.isnan(table["total"][path.parent.name])
    assert "damaged" in k2c("batch", "trial.yml", "--out", "out", "--dry-run").stdout
    again = k2c("batch", "resume", "out")
    assert f"The run {path.parent.name} is damaged and runs again." in again.stdout
    assert "2 runs: 2 ok." in again.stdout
    assert pd.read_csv(tmp_path / "out/results.csv")["total"].tolist() == [0.5, 1.0]


def test_a_damaged_plan_is_refused(batch, tmp_path, k2c):
    batch("sweep: {grid: {steps: [1, 2]}}\n")
    assert k2c("batch", "trial.yml", "--out", "out").returncode == 0
    plan = tmp_path / "out/plan.json"
    plan.write_text(plan.read_text().replace('"rate": 0.5', '"rate": 0.7', 1))
    refused = k2c("batch", "report", "out")
    assert refused.returncode == 2
    assert (
        "plan.json is damaged: its content and its SHA-256 do not fit. Run the batch file again."
        in refused.stderr
    )
    assert k2c("batch", "trial.yml", "--out", "out").returncode == 0  # what the sentence advises
    assert k2c("batch", "report", "out").returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_killed_and_resumed_every_run_is_there_once(batch, tiny_course, tmp_path, k2c, edit_cell, is_alive):
    edit_cell("claim", COUNTING)
    batch("sweep: {grid: {steps: [1, 2, 3, 4, 5, 6]}}\nfixed: {rate: 0.5}\n")
    process = start(tmp_path, "trial.yml")
    wait_until(process, lambda: len(starts(tiny_course)) >= 4)
    process.kill()
    process.wait()
    wait_for_kernels_to_end(tiny_course, is_alive)
    done = facts(tmp_path)
    assert k2c("batch", "resume", "out").returncode == 0
    after = facts(tmp_path)
    assert sorted(after) == [1, 2, 3, 4, 5, 6]
    assert {steps: after[steps]["started"] for steps in done} == {s: e["started"] for s, e in done.items()}
    counts = Counter(steps for steps, _ in starts(tiny_course))
    assert all(counts[steps] == 1 for steps in done)
    assert not list((tmp_path / "out").glob(".00_tiny*"))


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_ends_the_kernels_and_leaves_a_report(batch, tiny_course, tmp_path, k2c, edit_cell, is_alive):
    edit_cell("claim", COUNTING.replace("time.sleep(rate)", "time.sleep(600 if steps > 1 else 0)"))
    batch("sweep: {grid: {steps: [1, 2, 3, 4, 5]}}\n")
    process = start(tmp_path, "trial.yml")
    wait_until(process, lambda: len(starts(tiny_course)) >= 3)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 130, printed
    assert "Go on with: k2c batch resume out" in printed
    assert {steps: entry["status"] for steps, entry in facts(tmp_path).items()} == {
        1: "ok",
        2: "interrupted",
        3: "interrupted",
    }
    assert (tmp_path / "out/index.html").is_file()
    wait_for_kernels_to_end(tiny_course, is_alive)


def test_a_second_batch_in_the_folder_is_refused_while_one_runs(batch, tiny_course, tmp_path, k2c, edit_cell):
    edit_cell("claim", COUNTING)
    batch("fixed: {steps: 1}\n")
    (tiny_course / "notebooks/00_tiny.ipynb").write_text(
        (tiny_course / "notebooks/00_tiny.ipynb").read_text().replace("time.sleep(rate)", "time.sleep(600)")
    )
    process = start(tmp_path, "trial.yml")
    try:
        wait_until(process, lambda: starts(tiny_course))
        batch("fixed: {steps: 2}\n")
        refused = k2c("batch", "trial.yml", "--out", "out")
        assert refused.returncode == 2
        assert "Another batch is running in out." in refused.stderr
        assert "Report" not in refused.stdout
        assert not (tmp_path / "out/index.html").exists()  # that is for the batch that holds the folder
    finally:
        process.kill()
        process.communicate()


def test_a_folder_that_cannot_be_written_is_a_sentence(batch, tmp_path, k2c):
    batch("")
    (tmp_path / "runs").write_text("")
    result = k2c("batch", "trial.yml")
    assert result.returncode == 2
    assert "runs/trial cannot be written" in result.stderr
    assert "Name another folder with --out." in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_a_full_disk_is_a_sentence(batch, tmp_path, k2c):
    import resource

    batch("sweep: {grid: {steps: [1, 2]}}\n")
    result = k2c(
        "batch",
        "trial.yml",
        "--out",
        "out",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
    )
    assert result.returncode == 2
    assert "The disk with out is full." in result.stderr
    assert "k2c batch resume out" in result.stderr
    assert "Traceback" not in result.stderr
    assert facts(tmp_path) == {}
    assert k2c("batch", "resume", "out").returncode == 0


def test_a_cluster_runs_the_same_batch(batch, tmp_path, k2c):
    pytest.importorskip("distributed")
    batch("sweep: {grid: {steps: [1, 2]}}\n")
    result = k2c("batch", "trial.yml", "--out", "out", "--cluster", "local", "--workers", "1")
    assert result.returncode == 0, result.stderr
    assert {entry["worker"] for entry in facts(tmp_path).values()} == {"0"}
    assert k2c("batch", "trial.yml", "--out", "out").returncode == 0  # all done: nothing starts
    refused = k2c("batch", "trial.yml", "--out", "other", "--cluster", "tcp://127.0.0.1:1")
    assert refused.returncode == 2
    assert "No Dask scheduler answers at tcp://127.0.0.1:1" in refused.stderr


def test_resuming_what_is_no_batch_is_a_sentence(tmp_path, k2c):
    (tmp_path / "empty").mkdir()
    result = k2c("batch", "resume", "empty")
    assert result.returncode == 2
    assert "empty holds no batch" in result.stderr
