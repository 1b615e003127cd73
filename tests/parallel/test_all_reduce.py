"""Several processes train one model: the same one, whatever happens to the processes."""

import math
import os
import random
import signal

import pytest

from k2c.parallel import Job, WorkerError, train

pytestmark = pytest.mark.timeout(240)

# 67 examples in batches of 16: the last batch of an epoch has 3; four epochs are 20 steps.
PARAMETERS = {"examples": 67, "valid_examples": 7, "epochs": 4, "dtype": "float64"}


def blobs(**parameters):
    return Job("blobs", PARAMETERS | parameters)


def test_two_workers_compute_what_one_computes(weights, apart):
    alone, history = weights("single", blobs(batch_size=16), 1)
    seen = []
    together, shared = weights(
        "all_reduce", blobs(batch_size=4), 2, accumulate=2, watch=lambda states: seen.append(states)
    )
    assert apart(alone, together) < 1e-9
    for column in ("train_loss", "valid_loss"):
        assert shared[column] == pytest.approx(history[column], abs=1e-6)  # validation is in float32
    assert shared["examples"] == history["examples"] == [67] * 4  # each counted once, none dropped
    assert [state.status for state in seen[-1]] == ["done", "done"]
    assert all(math.isfinite(state.loss) for state in seen[-1])


@pytest.mark.parametrize("compression", ["fp16", "powersgd"])
def test_compressed_gradients_train_almost_as_well(weights, compression):
    _, exact = weights("single", blobs(batch_size=16, dtype="float32"), 1)
    _, history = weights("all_reduce", blobs(batch_size=8, dtype="float32"), 2, compression=compression)
    assert history.last["train_loss"] == pytest.approx(exact.last["train_loss"], rel=0.2)
    assert history.last["train_loss"] != exact.last["train_loss"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_worker_is_restarted_and_the_result_is_the_same(weights, apart, faulty):
    alone, history = weights("single", faulty(batch_size=16), 1)
    chance = random.Random()
    epoch, victim = chance.randrange(1, 3), chance.randrange(2)
    killed = []

    def kill(states):
        if not killed and states[victim].epoch == epoch and states[victim].batch >= 1:
            killed.append(states[victim].pid)
            os.kill(states[victim].pid, signal.SIGKILL)

    together, shared = weights("all_reduce", faulty(kind="slow"), 2, watch=kill, max_restarts=1)
    assert killed, "the training ended before it could be killed"
    assert apart(alone, together) < 1e-9
    assert shared["train_loss"] == pytest.approx(history["train_loss"], abs=1e-9)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("raise", "Worker 1 of 2 stopped, and the others with it. The film 17 has no label. Add one."),
        ("hang", "Worker 1 of 2 has hung for 3 s in batch 4 of epoch 1"),
    ],
)
def test_a_worker_that_fails_ends_the_training_with_one_sentence(faulty, kind, words):
    with pytest.raises(WorkerError) as caught:
        train("all_reduce", faulty(kind=kind), 2, time_limit=3)
    assert words in str(caught.value)
    assert caught.value.rank == 1


@pytest.mark.parametrize("strategy", ["all_reduce", "parameter_server"])
def test_where_processes_cannot_be_forked_each_worker_is_a_python_of_its_own(monkeypatch, strategy):
    forked = train(strategy, Job("blobs"), 2)
    monkeypatch.setattr("k2c.parallel.workers.start.can_fork", lambda: False)
    assert train(strategy, Job("blobs"), 2)["train_loss"] == forked["train_loss"]
