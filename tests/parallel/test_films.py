"""The experiment of lecture 6: films of different patients on both sides, and the same job for every worker."""

import pytest
import torch

from k2c.datasets.chest import chest_twin
from k2c.errors import K2CError
from k2c.parallel import Job
from k2c.parallel.films import film_inputs, films


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(tmp_path_factory.getbasetemp() / "films"))
    films.cache_clear()


def test_no_patient_is_on_both_sides_and_a_third_is_held_out():
    train, test = films(n_films=150, image_size=32)
    assert not set(train.patients) & set(test.patients)
    assert len(train) + len(test) == 150 and 40 <= len(test) <= 60


def test_inputs_are_grey_and_have_no_brightness_of_their_own():
    inputs = film_inputs(chest_twin(4, size=32, cache=False), 32)
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
