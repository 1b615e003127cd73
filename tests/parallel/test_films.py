"""The experiment of lecture 6: films of different patients on both sides, and the same job for every worker."""

import numpy as np
import pytest
import torch
from PIL import Image

from k2c.datasets.chest import FINDINGS, synthetic_chest
from k2c.errors import K2CError
from k2c.parallel import Job, film_inputs, films


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(tmp_path_factory.getbasetemp() / "films"))


def test_no_patient_is_on_both_sides_and_a_third_is_held_out():
    train, test = films(n_films=150, image_size=32)
    assert not set(train.patients) & set(test.patients)
    assert len(train) + len(test) == 150 and 40 <= len(test) <= 60


def test_inputs_are_grey_and_have_no_brightness_of_their_own():
    inputs = film_inputs(synthetic_chest(4, size=32, cache=False), 32)
    assert inputs.shape == (4, 1, 32, 32)
    assert torch.allclose(inputs.mean(dim=(1, 2, 3)), torch.zeros(4), atol=1e-5)
    assert torch.allclose(inputs.std(dim=(1, 2, 3)), torch.ones(4), atol=1e-4)


@pytest.mark.parametrize("network", ["small_vgg", "small_densenet"])
def test_every_worker_builds_the_same_job(network):
    job = Job(
        "chest_films",
        {"n_films": 150, "image_size": 32, "network": network, "n_used": 64, "dtype": "float64"},
    )
    one, other = Job.from_json(job.to_json()).build(), job.build()
    assert len(one.train) == 64 and one.train.tensors[0].dtype == torch.float64
    assert all(torch.equal(a, b) for a, b in zip(one.train.tensors, other.train.tensors, strict=True))
    logits = one.model(one.train.tensors[0][:4])
    assert one.loss(logits, one.train.tensors[1][:4]).isfinite()


def test_an_unknown_dtype_is_told_in_a_sentence():
    with pytest.raises(K2CError, match="'float32' or 'float64'"):
        Job("chest_films", {"dtype": "float16"}).build()


@pytest.fixture
def folder(tmp_path):
    """Films of six patients; the brightness of each is its number."""
    rows = [f"{number}.png,{number // 2}," + ",".join([str(number % 2)] * 14) for number in range(12)]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/labels.csv").write_text(
        "file,patient_id," + ",".join(FINDINGS) + "\n" + "\n".join(rows)
    )
    for number in range(12):
        Image.fromarray(np.full((40, 48), number, np.uint8)).save(tmp_path / f"mine/{number}.png")
    return tmp_path / "mine"


def test_a_folder_is_read_again_after_its_files_changed(folder):
    before = films(str(folder), image_size=32)
    csv = (folder / "labels.csv").read_text().splitlines()
    (folder / "labels.csv").write_text("\n".join(csv[:-2]))  # one patient less
    after = films(str(folder), image_size=32)
    assert [sum(map(len, both)) for both in (before, after)] == [12, 10]
    assert films(n_films=150, image_size=32) is films(n_films=150, image_size=32)  # what is drawn stays


def test_a_folder_of_one_s_own_is_named_from_where_one_stands(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    job = Job("chest_films", {"source": "mine", "labels": "labels.csv", "image_size": 32})
    assert job.parameters["source"] == str(folder) and job.parameters["labels"] == str(folder / "labels.csv")
    assert job.parameters | {} == Job("chest_films", {**job.parameters, "source": "~/mine"}).parameters
    monkeypatch.chdir("/")  # as a worker elsewhere
    assert Job.from_json(job.to_json()) == job
    assert len(job.build().train) == 8
    with pytest.raises(
        K2CError, match=r"source is 'mine', but there is no file or folder /mine.*may also be synthetic"
    ):
        Job("chest_films", {"source": "mine"})
    assert Job("chest_films", {"source": "synthetic"}).parameters == {"source": "synthetic"}


def test_the_command_trains_on_a_folder_and_goes_on_from_elsewhere(folder, k2c):
    words = ("train", "single", "chest_films", "-p", "image_size=32", "-p", "batch_size=4")
    done = k2c(*words, "-p", "source=mine", "-p", "epochs=1", "--folder", "run")
    assert (done.returncode, done.stdout.count("epoch 1,")) == (0, 1), done.stderr
    (folder.parent / "other").mkdir()
    again = k2c(
        *words, "-p", "source=../mine", "-p", "epochs=1", "--folder", "../run", cwd=folder.parent / "other"
    )
    assert again.returncode == 0, again.stderr
    nowhere = k2c(*words, "-p", "source=mien")
    assert nowhere.returncode == 2 and "did you mean 'mine'?" in nowhere.stderr


def test_the_head_on_the_grid_is_the_same_from_two_workers(weights, apart):
    job = {"n_films": 150, "epochs": 1}
    alone, history = weights("single", Job("grid_head", job | {"batch_size": 32}), 1)
    together, shared = weights("all_reduce", Job("grid_head", job | {"batch_size": 16}), 2)
    assert set(alone) == {"weight", "bias"} and alone["weight"].shape == (14, 3712)
    assert apart(alone, together) < 1e-10
    assert shared["train_loss"] == pytest.approx(history["train_loss"], abs=1e-9)
