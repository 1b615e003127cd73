"""mpirun starts the same job, and MPI averages the gradients."""

import pytest

from k2c.errors import K2CError
from k2c.parallel import Job, all_strategies, time_all_reduce, train

MISSING = next(strategy for strategy in all_strategies() if strategy.name == "mpi").missing()
pytestmark = [pytest.mark.timeout(240), pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

PARAMETERS = {"examples": 67, "valid_examples": 0, "epochs": 4, "dtype": "float64"}


def test_workers_under_mpirun_compute_what_one_computes(weights, apart):
    alone, history = weights("single", Job("blobs", PARAMETERS | {"batch_size": 16}), 1)
    together, shared = weights("mpi", Job("blobs", PARAMETERS | {"batch_size": 8}), 2, algorithm="ring")
    assert apart(alone, together) < 1e-9
    assert shared["train_loss"] == pytest.approx(history["train_loss"], abs=1e-9)


def test_an_algorithm_is_timed():
    times = time_all_reduce("recursive_doubling", sizes=(64, 65536), repeats=5)
    assert [size for size, _ in times] == [64, 65536]
    assert all(0 < seconds < 5 for _, seconds in times)


def test_an_algorithm_that_does_not_exist_is_named():
    with pytest.raises(K2CError, match="did you mean 'ring'"):
        train("mpi", Job("blobs"), 2, algorithm="rings")
