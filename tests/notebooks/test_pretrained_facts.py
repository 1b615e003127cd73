"""What lecture 3 says and does not run: a cheap part of its measured facts is measured again."""

import importlib.util
import os
from pathlib import Path

import pandas as pd
import pytest
import torch

import k2c
from k2c._system.paths import project_root
from k2c.course.exercises import load_solutions
from k2c.datasets import read_image, sample_photograph
from k2c.models import backbone, class_index, fast_gradient_sign, image_logits


@pytest.fixture(scope="module")
def script():
    file = project_root() / "course/results/pretrained_photographs.py"
    spec = importlib.util.spec_from_file_location("script", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_forty_crops_of_the_cat_agree_with_two_hundred(script):
    again = script.confusions(backbone(), {"the sample, Chelsea": sample_photograph("cat")}, count=40).iloc[0]
    facts = k2c.measured("cat_confusions").set_index("photograph").loc["the sample, Chelsea"]
    assert facts["crops"] == 200
    for column in [*script.CATS, "another name"]:
        assert again[column] == pytest.approx(
            facts[column], abs=0.25
        )  # three standard errors of a fraction of 40
    assert again["five cats"] == pytest.approx(facts["five cats"], abs=0.1)


def test_each_row_of_first_answers_adds_up(script):
    facts = k2c.measured("cat_confusions")
    assert facts[[*script.CATS, "another name"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=0.004)


def test_the_solution_of_problem_5_is_the_step_of_the_package():
    names = {"torch": torch}
    exec(load_solutions()["03_pretrained_imagenet"]["imagenet.5"]["solution"], names)
    network = backbone()
    inputs, tripod = network.preprocessing(sample_photograph("cameraman")), class_index("tripod")
    one_level = 1 / 255 / torch.tensor(network.preprocessing.std).view(1, 3, 1, 1)
    solved = names["fgsm"](network.logits, inputs, tripod, one_level)
    torch.testing.assert_close(solved, fast_gradient_sign(network, inputs, tripod, levels=1))


def test_what_is_left_of_the_calibration_error_is_within_chance():
    facts = k2c.measured("calibration_halves")
    low, high = facts["error if calibrated"].quantile([0.025, 0.975])
    assert low < facts["error after"].median() < high < facts["error before"].median()


@pytest.mark.realdata
def test_ten_halves_of_the_real_photographs_agree_with_the_table(script):
    root = os.environ.get("K2C_REALDATA")
    if not root:
        pytest.skip("K2C_REALDATA is not set")
    folder = Path(root, "imagenet")
    labels = pd.read_csv(folder / "labels.csv")
    logits = image_logits(backbone(), (read_image(folder / file) for file in labels["file"]))
    again = script.halves(logits, torch.tensor(labels["index"].tolist()), count=10)
    facts = k2c.measured("calibration_halves").head(10)
    pd.testing.assert_frame_equal(again, facts, check_dtype=False, atol=0.02, rtol=0)
