"""What can be asked for: jobs, strategies, options; and where a worker finds its place."""

import importlib.util
import json
import re

import pytest
import torch

from k2c.errors import K2CError
from k2c.parallel import Job, Rendezvous, all_experiments, bytes_per_step, find_rendezvous, train
from k2c.parallel.sharding import shard, validation_part
from k2c.parallel.workers.learner import seed_stream
from k2c.training.loaders import epoch_order


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Job("blob"), "There is no experiment 'blob'; did you mean 'blobs'?"),
        (lambda: Job("chest"), "There are: blobs, chest_films"),
        (lambda: Job("chest"), "One of your own needs the file that registers it"),
        (lambda: Job("blobs", module="no_such_module"), "There is no module 'no_such_module'"),
        (lambda: Job("blobs", module="nowhere/mine.py"), "nowhere/mine.py, where the experiment is said"),
        (lambda: Job("blobs", {"epohcs": 3}), "did you mean 'epochs'?"),
        (lambda: Job("blobs", {"epochs": float("nan")}), "must travel as JSON"),
        (lambda: train("all_reduse", Job("blobs")), "did you mean 'all_reduce'?"),
        (lambda: train("all_reduce", Job("blobs"), 0), "workers is 0. It must be 1 or more."),
        (lambda: train("all_reduce", Job("blobs"), compresion="fp16"), "did you mean 'compression'?"),
        (lambda: train("all_reduce", Job("blobs"), compression="fp17"), "did you mean 'fp16'?"),
        (lambda: train("all_reduce", Job("blobs"), skip=["broadcast"]), "did you mean 'broadcast_weights'?"),
        (lambda: train("single", Job("blobs"), 2), "'single' is one worker, not 2."),
        (lambda: train("single", Job("blobs", {"epochs": 0}), 1), "epochs of 'blobs' is 0."),
    ],
)
def test_what_does_not_exist_is_refused_before_a_process_starts(call, words):
    with pytest.raises(K2CError) as caught:
        call()
    assert words in str(caught.value)


def test_every_experiment_of_the_kit_is_found_by_its_name():
    for name in ("blobs", "chest_films"):
        assert name in all_experiments()
        assert Job(name).module == "k2c.parallel.experiments"


MINE = """
from k2c.parallel import experiment
from k2c.parallel.experiments import blobs

@experiment("{name}")
def mine(epochs: int = 1):
    return blobs(epochs=epochs, examples=32, valid_examples=0)
"""


def test_a_file_of_one_s_own_is_named_from_where_one_stands(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE.format(name="mine"))
    monkeypatch.chdir(tmp_path)
    job = Job("mine", module="mine.py")
    monkeypatch.chdir("/")  # as a worker elsewhere
    assert Job.from_json(job.to_json()).build().epochs == 1
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Job("mine", module="~/mine.py") == job


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'. Mend it"),
        ("def (", "SyntaxError: invalid syntax"),
        (MINE.format(name="another"), "There is no experiment 'nothing'"),
    ],
)
def test_a_file_that_registers_nothing_is_told_in_a_sentence(tmp_path, text, words):
    path = tmp_path / "nothing.py"
    path.write_text(text)
    for _ in range(2):  # what failed is not taken for imported
        with pytest.raises(K2CError) as caught:
            Job("nothing", module=str(path))
        assert words in str(caught.value)


def test_a_job_travels_as_text(faulty):
    job = faulty(epochs=2)
    again = Job.from_json(json.loads(json.dumps(job.to_json())))
    assert again == job
    assert again.module.endswith("faulty_experiment.py")
    assert again.build().epochs == 2


def test_a_folder_continues_its_own_job_and_refuses_another(tmp_path):
    first = train("single", Job("blobs", {"epochs": 1}), 1, folder=tmp_path)
    same = train("single", Job("blobs", {"epochs": 1}), 1, folder=tmp_path)
    assert same["train_loss"] == first["train_loss"]
    with pytest.raises(K2CError, match="holds the checkpoints of another job"):
        train("single", Job("blobs", {"epochs": 2}), 1, folder=tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"job": 3}', b"\xff\xfe"])
def test_a_folder_with_a_damaged_plan_is_refused_with_a_sentence(content, tmp_path):
    train("single", Job("blobs", {"epochs": 1}), 1, folder=tmp_path)
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(K2CError, match=r"run\.json is damaged.* Choose another folder; or delete"):
        train("single", Job("blobs", {"epochs": 1}), 1, folder=tmp_path)


@pytest.mark.parametrize("strategy", ["single", "all_reduce"])
def test_a_run_whose_last_checkpoint_is_damaged_goes_on_from_the_one_before_and_says_so(
    strategy, tmp_path, faulty
):
    workers = 1 if strategy == "single" else 2
    whole = train(strategy, faulty(epochs=2), workers, folder=tmp_path)
    for name in ("last.pt", "best.pt"):
        (tmp_path / "checkpoints" / name).write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=r"last\.pt is damaged.* from previous\.pt, which is of epoch 1"):
        again = train(strategy, faulty(epochs=2), workers, folder=tmp_path)
    assert again["train_loss"] == whole["train_loss"]


def test_the_command_shows_as_a_sentence_that_it_goes_on_from_an_older_checkpoint(tmp_path, k2c):
    words = "train", "single", "blobs", "--folder", "F", "-p", "epochs=2"
    assert k2c(*words).stderr == ""
    for name in ("last.pt", "best.pt"):
        (tmp_path / "F/checkpoints" / name).write_bytes(b"damaged")
    (said,) = k2c(*words).stderr.splitlines()
    assert re.fullmatch(
        r"Warning: .*F/checkpoints/last\.pt is damaged.* goes on from previous\.pt, which is of epoch 1\.",
        said,
    )


@pytest.mark.parametrize(
    ("name", "extra"),
    [("mpi", "mpi"), ("spark", "spark")],
)
def test_a_strategy_that_lacks_something_says_what_to_install(monkeypatch, name, extra):
    there = importlib.util.find_spec
    absent = ("mpi4py", "pyspark")
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in absent else there(n, *a))
    with pytest.raises(K2CError, match=rf"-m pip install -e .*\[{extra}\]"):
        train(name, Job("blobs"), 2)


def test_shares_of_a_batch_make_its_step_unless_the_model_looks_at_the_whole_batch(weights, apart):
    # Four parts whose gradients are added up: what four workers compute, here one after another.
    parameters = {"examples": 67, "valid_examples": 0, "epochs": 4, "dtype": "float64"}

    def gap(batch_norm):
        whole = Job("blobs", parameters | {"batch_size": 16, "batch_norm": batch_norm})
        parts = Job("blobs", parameters | {"batch_size": 4, "batch_norm": batch_norm})
        return apart(weights("single", whole, 1)[0], weights("single", parts, 1, accumulate=4)[0])

    assert gap(batch_norm=False) < 1e-9
    assert gap(batch_norm=True) > 1e-3  # each part is normalised by its own mean and variance


def test_every_worker_draws_its_own_random_numbers_and_the_same_ones_again():
    def draw(rank, epoch):
        seed_stream(7, rank, epoch)
        return torch.rand(1).item()

    draws = [draw(rank, epoch) for rank in range(4) for epoch in range(3)]
    assert len(set(draws)) == len(draws)
    assert draw(2, 1) == draws[2 * 3 + 1]


def test_metrics_meet_over_examples_not_over_workers():
    parts = [validation_part(67, rank, 4) for rank in range(4)]
    assert torch.cat(parts).tolist() == list(range(67))
    with pytest.raises(K2CError, match="There are 3 validation examples for 4 workers"):
        validation_part(3, 0, 4)


@pytest.mark.parametrize(
    ("compression", "fraction"),
    [("none", 1.0), ("fp16", 0.5), ("powersgd", (8 + 32 + 32 + 3 + 32 + 3) / 387)],
)
def test_compressed_gradients_take_fewer_bytes(compression, fraction):
    shapes = [tuple(parameter.shape) for parameter in Job("blobs").build().model.parameters()]
    assert bytes_per_step(shapes, compression) == pytest.approx(4 * 387 * fraction)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_shards_are_the_data_once(world_size, accumulate):
    order = epoch_order(67, epoch=2, seed=5, shuffle=True)
    shares = [shard(order, rank, world_size, 4, accumulate) for rank in range(world_size)]
    assert len({len(parts) for parts in shares}) == 1  # nobody waits for a partner who has ended
    counted = [part.indices[: part.count] for parts in shares for part in parts]
    assert sorted(torch.cat(counted).tolist()) == list(range(67))
    for parts in zip(*shares, strict=True):
        assert len({part.closes_step for part in parts}) == 1
    # What the gradients are multiplied by makes every step a mean over its examples.
    closes = [part.closes_step for part in shares[0]]
    steps = closes.count(True)
    assert sum(part.weight for parts in shares for part in parts) / world_size == pytest.approx(steps)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Rendezvous(0, 1, 0, 0)),
        (
            {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_PORT": "29500"},
            Rendezvous(3, 4, 1, 29500),
        ),
        (
            {
                "OMPI_COMM_WORLD_RANK": "1",
                "OMPI_COMM_WORLD_SIZE": "2",
                "OMPI_COMM_WORLD_LOCAL_RANK": "1",
                "K2C_PORT": "2345",  # as the parent chose
                "MASTER_PORT": "29500",
            },
            Rendezvous(1, 2, 1, 2345),
        ),
    ],
)
def test_a_worker_finds_itself_in_the_environment_of_its_launcher(environment, expected, monkeypatch):
    for variable in ("RANK", "MASTER_PORT", "K2C_PORT"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    assert find_rendezvous() == expected
