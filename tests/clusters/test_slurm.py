"""On a real SLURM of two nodes: batches by dask-jobqueue, jobs that are lost, and training under srun and sbatch."""

import json
import re
import signal
import subprocess
import sys

import pytest

K2C = (sys.executable, "-m", "k2c")
LONG = (
    "import time\ntime.sleep(4)\nk2c.record(total=steps * rate)"  # long enough to look at its job meanwhile
)


@pytest.fixture
def start(slurm, recipe, tiny_course, tmp_path):
    """Return a function that starts a batch of the tiny lecture, `steps` from 1 on, in jobs of SLURM."""

    processes = []

    def begin(runs, queue="main"):
        set_up = recipe("slurm.yml").replace("interface: eth0", "interface: lo")
        (tmp_path / "slurm.yml").write_text(set_up.replace("queue: main", f"queue: {queue}"))
        sweep = {"lecture": "00", "sweep": {"grid": {"steps": list(range(1, runs + 1))}}}
        (tmp_path / "trial.yml").write_text(json.dumps(sweep))
        words = (*K2C, "batch", "trial.yml", "--out", "out", "--cluster", "slurm.yml")
        process = subprocess.Popen(
            words, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            # What a shell starts in the background ignores Ctrl-C, and so would the command.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def runs(tmp_path):
    """Return the status of each run that has ended, by the value of `steps`."""
    found = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("00_tiny-*/run.json")]
    return {facts["parameters"]["steps"]: facts["status"] for facts in found}


def ended(process):
    """Return what a command printed, once it has ended."""
    printed, _ = process.communicate(timeout=300)
    assert "Traceback" not in printed, printed
    return printed


def test_a_batch_runs_in_jobs_on_both_nodes_and_leaves_none_behind(slurm, start, tmp_path, edit_cell):
    edit_cell("claim", LONG)
    process = start(3)
    slurm.wait_until(lambda: set(slurm.jobs().values()) == {"n1", "n2"} or process.poll() is not None)
    assert "3 runs: 3 ok." in ended(process)
    assert runs(tmp_path) == {1: "ok", 2: "ok", 3: "ok"}
    slurm.wait_until(slurm.is_idle)


def test_a_node_drained_in_mid_batch_ends_what_it_does_and_gets_no_other_job(
    slurm, start, tmp_path, edit_cell
):
    edit_cell("claim", LONG)
    process = start(6)
    slurm.wait_until(lambda: runs(tmp_path))
    slurm.command("scontrol", "update", "NodeName=n2", "State=DRAIN", "Reason=test")
    (job,) = (job for job, node in slurm.jobs().items() if node == "n2")
    slurm.command("scancel", job)  # the administrator does not wait
    assert "6 runs: 6 ok." in ended(process)
    slurm.wait_until(lambda: slurm.states() == {"n1": "idle", "n2": "drained"})


def test_all_jobs_cancelled_in_mid_batch_are_asked_for_again(slurm, start, tmp_path, edit_cell):
    edit_cell("claim", LONG)
    process = start(4)
    slurm.wait_until(lambda: runs(tmp_path))
    before = slurm.jobs()
    slurm.command("scancel", *before)
    assert "4 runs: 4 ok." in ended(process)
    assert not before.keys() & slurm.jobs().keys()


def test_a_batch_stopped_in_mid_way_says_what_is_missing_and_goes_on(slurm, start, tmp_path, edit_cell, k2c):
    edit_cell("claim", LONG)
    process = start(4)
    slurm.wait_until(lambda: runs(tmp_path))
    process.send_signal(signal.SIGINT)
    printed = ended(process)
    assert process.returncode == 130, printed
    assert "Go on with: k2c batch resume out" in printed
    assert len(runs(tmp_path)) < 4 or "interrupted" in runs(tmp_path).values()
    slurm.wait_until(slurm.is_idle)
    resumed = k2c("batch", "resume", "out", "--cluster", "slurm.yml")
    assert "4 runs: 4 ok." in resumed.stdout, resumed.stderr


def test_a_queue_that_takes_no_job_is_a_sentence(start):
    process = start(1, queue="nowhere")
    printed = ended(process)
    assert process.returncode == 2
    assert "slurm.yml does not set up a cluster." in printed
    assert "invalid partition specified: nowhere" in printed


def test_srun_of_several_tasks_is_refused_and_srun_of_one_trains(slurm):
    blobs = (*K2C, "train", "all_reduce", "blobs", "--workers", "2", "-p", "epochs=1")
    refused = slurm.command("srun", "-N2", "-n2", *blobs, check=False)
    assert len(re.findall(r"srun has started this command 2 times", refused)) == 2
    assert "epoch" not in refused
    assert "epoch 1, train_loss" in slurm.command("srun", "-N1", "-n1", "-c2", *blobs)


@pytest.mark.parametrize("strategy", ["all_reduce", "mpi"])
def test_the_script_of_a_job_of_two_nodes_trains_once_on_its_first_one(slurm, tmp_path, strategy):
    (tmp_path / "job.sh").write_text(
        "#!/bin/bash\n#SBATCH --nodes=2 --ntasks=2\n"
        f"{sys.executable} -m k2c train {strategy} blobs --workers 2 -p epochs=1\n"
    )
    slurm.command("sbatch", "--output=said", "job.sh", cwd=tmp_path)
    slurm.wait_until(slurm.is_idle)
    assert len(re.findall("epoch 1, train_loss", (tmp_path / "said").read_text())) == 1
