"""Servers hold the model: synchronously they compute what one worker does; asynchronously, almost."""

import pytest

from k2c.parallel import Job, WorkerError, train
from k2c.parallel.strategies.parameter_server.worker import split_model

pytestmark = pytest.mark.timeout(240)

PARAMETERS = {"examples": 67, "valid_examples": 0, "epochs": 4, "dtype": "float64", "optimizer": "momentum"}


def test_synchronous_servers_compute_what_one_worker_computes(weights, apart):
    alone, history = weights("single", Job("blobs", PARAMETERS | {"batch_size": 16}), 1)
    served, shared = weights("parameter_server", Job("blobs", PARAMETERS | {"batch_size": 8}), 2, servers=2)
    assert apart(alone, served) < 1e-9
    assert shared["train_loss"] == pytest.approx(history["train_loss"], abs=1e-9)
    assert shared["staleness_max"] == [0] * 4


def test_asynchronous_servers_use_stale_gradients_and_learn(faulty):
    history = train("parameter_server", faulty(kind="slow", epochs=3), 2, synchronous=False)
    assert history["examples"] == [67] * 3
    assert history.last["train_loss"] < history["train_loss"][0]
    assert 0 < max(history["staleness_max"]) < 20


def test_a_worker_that_fails_ends_the_servers_too(faulty):
    with pytest.raises(WorkerError, match="Worker 1 of 2 stopped, and the others with it"):
        train("parameter_server", faulty(kind="raise"), 2)


def test_the_model_is_split_evenly():
    parameters = [Size(n) for n in (100, 60, 50, 10, 1)]
    parts = split_model(parameters, 2)
    assert sorted(index for part in parts for index in part) == [0, 1, 2, 3, 4]
    assert [sum(parameters[i].numel() for i in part) for part in parts] == [111, 110]


class Size:
    def __init__(self, n: int) -> None:
        self.n = n

    def numel(self) -> int:
        return self.n
