"""The command line, as its users type it."""

import json
import re
import subprocess
import sys
import time

import pytest

from k2c.cli import doctor


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-p", "stpes=3"], "There is no parameter 'stpes'; did you mean 'steps'?"),
        (["-p", "steps=-1"], "steps must be a whole number from 1 to 9, not '-1'."),
        (["-p", "steps=abc"], "steps must be a whole number from 1 to 9, not 'abc'."),
        (["-p", "steps"], "-p takes NAME=VALUE"),
        (["99"], "There is no lecture '99'."),
    ],
)
def test_a_wrong_word_is_refused_in_a_sentence_before_a_kernel_starts(
    tiny_course, tmp_path, k2c, words, sentence
):
    started = time.monotonic()
    result = k2c("run", *words)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()
    assert time.monotonic() - started < 10  # it takes 0.3 s; a kernel would take far longer than that


def test_list_shows_lectures_and_parameters(tiny_course, k2c):
    out = k2c("list").stdout
    assert "00_tiny" in out
    assert "a whole number from 1 to 9" in out


def test_data_lists_what_ships_and_prints_paths(k2c):
    assert "CC0" in k2c("data", "list").stdout
    assert k2c("data", "path", "spam").stdout.strip().endswith("messages.jsonl")
    wrong = k2c("data", "fetch", "mnits")
    assert wrong.returncode == 2
    assert "did you mean 'mnist'" in wrong.stderr


def test_verify_tells_a_damaged_file(k2c, tmp_path):
    cache = {"K2C_DATA": str(tmp_path / "cache")}
    folder = tmp_path / "cache/mnist/MNIST/raw"
    folder.mkdir(parents=True)
    (folder / "train-labels-idx1-ubyte").write_bytes(b"not labels")
    result = k2c("data", "verify", "mnist", env=cache)
    assert result.returncode == 1
    assert "train-labels-idx1-ubyte" in result.stdout


def test_doctor_finds_a_cache_that_cannot_be_used(k2c, tmp_path):
    (tmp_path / "file").write_text("in the way")
    fine = k2c("doctor")
    assert fine.returncode == 0, fine.stdout
    assert "Every lecture can run here" in fine.stdout
    wrong = k2c("doctor", env={"K2C_DATA": str(tmp_path / "file" / "cache")})
    assert wrong.returncode == 1
    assert "Set K2C_DATA to a folder of yours" in wrong.stdout


def test_doctor_offline_without_data_says_what_to_fetch(k2c, tmp_path):
    result = k2c("doctor", env={"K2C_DATA": str(tmp_path / "empty"), "K2C_OFFLINE": "1"})
    assert result.returncode == 1
    assert "k2c data fetch mnist" in result.stdout


@pytest.mark.parametrize(
    ("cuda", "gpus", "told"), [("13.0", [], True), ("13.0", ["H100"], False), (None, [], False)]
)
def test_doctor_says_what_a_build_of_torch_for_cuda_takes_where_there_is_no_gpu(
    monkeypatch, cuda, gpus, told
):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(doctor, "nvidia_gpus", lambda: gpus)
    found = [finding for finding in doctor.examine() if finding.what == "torch build"]
    assert bool(found) == told
    if told:
        (build,) = found
        assert 0.1 < float(re.search(r"([\d.]+) GB with its libraries", build.found)[1]) < 20
        assert (
            f"A CPU build of torch {torch.__version__.partition('+')[0]} does the same here" in build.remedy
        )


def test_list_shows_one_lecture_and_speaks_json(tiny_course, k2c):
    assert "00_tiny" in k2c("list", "0").stdout
    assert k2c("list", "7").returncode == 2
    shown = json.loads(k2c("list", "--json").stdout)
    assert shown["00_tiny"]["parameters"]["steps"]["maximum"] == 9


def test_an_entry_that_is_half_written_is_refused_and_the_others_are_shown(tiny_course, k2c):
    path = tiny_course / "course/syllabus.yml"
    path.write_text(path.read_text() + "  01_new:\n    title: New\n")
    done = k2c("list")
    assert (done.returncode, "00_tiny" in done.stdout) == (0, True)
    assert "lectures.01_new.minutes: Field required" in done.stderr
    refused = k2c("run", "1")
    assert refused.returncode == 2
    assert "lectures.01_new.minutes: Field required" in refused.stderr


def test_a_subpackage_is_there_when_its_name_is_used():
    code = "import sys, k2c; print('torch' in sys.modules, k2c.training.fit.__name__, 'own' in dir(k2c)); k2c.nothing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False fit True\n"
    assert "module 'k2c' has no attribute 'nothing'" in done.stderr


def test_lab_refuses_a_folder_that_is_not_there(k2c):
    done = k2c("lab", "nowhere")
    assert done.returncode == 2
    assert "There is no folder" in done.stderr


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
            "srun has started this command 2 times(?s:.)*srun -N 1 -n 1 -c 2 k2c train ... --workers 2",
        ),
        (("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), "mpirun has started this command 2 times"),
        (("PMI_RANK", "PMI_SIZE"), "mpirun has started this command 2 times"),
    ],
)
def test_a_launcher_of_several_processes_gets_a_sentence_instead_of_several_trainings(
    k2c, variables, sentence
):
    for rank in ("0", "1"):
        result = k2c("train", "all_reduce", "blobs", env=dict(zip(variables, (rank, "2"), strict=True)))
        assert result.returncode == 2
        assert re.search(sentence, result.stderr)
        assert result.stdout == ""


def test_one_process_of_a_launcher_may_train_and_so_may_the_script_of_a_slurm_job(k2c):
    once = {"SLURM_PROCID": "0", "SLURM_NTASKS": "2", "OMPI_COMM_WORLD_SIZE": "1"}
    result = k2c(
        "train", "all_reduce", "blobs", "-p", "steps", env=once
    )  # refused only for what is asked of it
    assert "-p takes NAME=VALUE" in result.stderr
