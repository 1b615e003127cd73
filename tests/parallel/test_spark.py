"""Examples in Spark's partitions, trained on where they lie."""

import pytest

from k2c.parallel import Job, WorkerError, all_strategies, train
from k2c.parallel.strategies.spark import strategy as spark

MISSING = next(strategy for strategy in all_strategies() if strategy.name == "spark").missing()
pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]


@pytest.mark.parametrize("scheme", ["barrier", "shuffle"])
def test_partitions_compute_what_one_worker_computes(weights, apart, scheme):
    # One epoch of 20 steps: Spark's partitions keep their examples, so later epochs repeat its order.
    parameters = {"examples": 307, "valid_examples": 0, "epochs": 1, "dtype": "float64"}
    alone, history = weights("single", Job("blobs", parameters | {"batch_size": 16}), 1)
    together, shared = weights("spark", Job("blobs", parameters | {"batch_size": 8}), 2, scheme=scheme)
    assert apart(alone, together) < 1e-9
    assert shared["train_loss"] == pytest.approx(history["train_loss"], abs=1e-9)
    assert shared["examples"] == [307]


def test_a_task_that_fails_ends_the_training_with_one_sentence(faulty):
    with pytest.raises(
        WorkerError, match=r"stopped, and the others with it. The film 17 has no label. Add one."
    ):
        train("spark", faulty(kind="raise", rank=0), 2, max_restarts=0)


def test_no_java_is_a_sentence(monkeypatch):
    monkeypatch.setattr(spark, "java_home", lambda: None)
    assert (
        "needs Java 8, 11 or 17, and there is none. Set JAVA_HOME to one, or install one with: "
        in spark.Spark().missing()
    )
