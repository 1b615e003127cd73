"""What lecture 2 says and does not run: its two tables of measured facts, and the script that makes them."""

import importlib.util

import numpy as np

import k2c
from k2c._system.paths import project_root
from k2c.datasets import load_mnist

RESULTS = project_root() / "course" / "results"
COLUMNS = ["network", "seed", "epoch", "train_loss", "errors", "wrong"]


def test_the_tables_say_how_they_were_made_and_agree_where_they_overlap():
    short, long = k2c.measured("lenet_variants"), k2c.measured("lenet_20_epochs")
    for table in (short, long):
        assert table.attrs["made"].startswith("python course/results/lenet_variants.py --seeds ")
        assert "SGD: rate 0.05, momentum 0.9, weight decay 1e-5" in table.attrs["made"]
        assert [len(wrong.split()) for wrong in table["wrong"]] == list(table["errors"])
    same = short.query("network == 'LeNet' and seed == 0")
    assert list(long["epoch"]) == [*range(1, 21)]
    assert list(same["errors"]) == list(long["errors"][: len(same)])


def test_the_script_counts_errors_as_the_tables_do():
    spec = importlib.util.spec_from_file_location("script", RESULTS / "lenet_variants.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    small = load_mnist("digits")
    rows = script.train("LeNet-5", seed=0, epochs=2, digits=small)
    assert list(rows.columns) == COLUMNS and list(rows["epoch"]) == [1, 2]
    assert rows["errors"].between(0, len(small.test)).all()
    assert np.all(np.diff(rows["train_loss"]) < 0)


def test_the_network_without_pooling_has_the_shapes_and_the_parameters_of_the_one_with_it():
    spec = importlib.util.spec_from_file_location("script", RESULTS / "lenet_shifts.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    small = load_mnist("digits")
    row = script.measure(
        "no pooling", seed=0, epochs=1, digits=small, others=(small.test.images, small.test.labels)
    )
    assert list(row) == list(k2c.measured("lenet_shifts").columns)
    assert row["shifted by 0"] == row["other collection"]  # here both are the same digits
    sizes = [sum(weight.numel() for weight in make().parameters()) for make in script.NETWORKS.values()]
    assert sizes == [431_080, 431_080]
