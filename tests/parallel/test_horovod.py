"""The five steps on Horovod: the same weights, where somebody has built it (see course/horovod.md)."""

import shutil

import pytest

from k2c.errors import K2CError
from k2c.parallel import Job, WorkerError, all_strategies, train
from k2c.parallel.strategies.horovod.strategy import HorovodOptions
from k2c.training import load_checkpoint

MISSING = next(strategy for strategy in all_strategies() if strategy.name == "horovod").missing()
needs_horovod = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))
pytestmark = pytest.mark.timeout(240)

PARAMETERS = {"examples": 67, "valid_examples": 7, "epochs": 4, "dtype": "float64"}


def blobs(**parameters):
    return Job("blobs", PARAMETERS | parameters)


@needs_horovod
@pytest.mark.parametrize("accumulate", [1, 2])
def test_workers_of_horovod_compute_what_one_computes(weights, apart, accumulate):
    how = {"measure_accuracy": True, "optimizer": "momentum"}
    alone, history = weights("single", blobs(batch_size=16, **how), 1)
    together, shared = weights("horovod", blobs(batch_size=8 // accumulate, **how), 2, accumulate=accumulate)
    assert apart(alone, together) < 1e-9
    for column in ("train_loss", "valid_loss", "accuracy", "examples"):
        assert shared[column] == pytest.approx(history[column], abs=1e-6), column


@needs_horovod
def test_training_goes_on_from_a_checkpoint(apart, tmp_path, faulty):
    job, folder, kept = faulty(kind="slow", optimizer="momentum"), tmp_path / "first", tmp_path / "kept.pt"

    def keep(states):
        if states[0].epoch == 2 and not kept.exists():
            shutil.copy(folder / "checkpoints" / "last.pt", kept)

    train("horovod", job, 2, folder=folder, watch=keep)
    whole = load_checkpoint(folder / "checkpoints")
    assert 0 < load_checkpoint(kept)["epoch"] < 4
    second = tmp_path / "second" / "checkpoints"
    second.mkdir(parents=True)
    shutil.copy(kept, second / "last.pt")
    train("horovod", job, 2, folder=second.parent)
    assert apart(whole["model"], load_checkpoint(second)["model"]) < 1e-12


@needs_horovod
def test_gradients_that_are_not_averaged_make_two_models():
    history = train("horovod", blobs(), 2, skip=["average_gradients"])
    assert history.last["weight_spread"] > 1e-3


@needs_horovod
def test_gradients_travel_as_halves():
    exact, half = (
        train("horovod", blobs(dtype="float32"), 2, compression=how).last["train_loss"]
        for how in ("none", "fp16")
    )
    assert half == pytest.approx(exact, rel=0.2)
    assert half != exact


@needs_horovod
def test_a_worker_that_fails_says_why_and_the_other_ends(faulty):
    with pytest.raises(WorkerError, match=r"Worker 1.*The film 17 has no label"):
        train("horovod", faulty(kind="raise"), 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"compression": "powersgd"}, "has no PowerSGD"),
        ({"max_restarts": 2}, "restarts no worker"),
    ],
)
def test_an_option_that_horovod_lacks_is_named(options, words):
    with pytest.raises(K2CError, match=words):
        HorovodOptions(**options)


@pytest.mark.skipif(MISSING is None, reason="Horovod is there")
def test_without_horovod_a_sentence_says_where_to_read_on():
    with pytest.raises(K2CError, match=r"course/horovod\.md"):
        train("horovod", Job("blobs"), 2)
