"""The quality of a fundus photograph: what a grader would say, in a number."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from k2c.datasets import ArraySource, LabelledImages, image_quality, quality_scores
from k2c.datasets.fundus import fundus_folder, synthetic_fundus


def score(image: np.ndarray) -> float:
    return image_quality(image).score


def test_blur_darkness_and_glare_each_cost(draw_eye):
    good = draw_eye(1, size=224, margin=0.02)
    blurred = [score(draw_eye(1, size=224, margin=0.02, blur=blur)) for blur in (0, 1, 2, 4)]
    assert blurred == sorted(blurred, reverse=True) and blurred[0] > 0.8 and blurred[-1] < 0.2
    assert score(good // 4) < 0.3 * score(good)
    burnt = np.where(good.any(axis=2, keepdims=True), np.clip(good.astype(int) + 180, 0, 255), 0).astype(
        np.uint8
    )
    assert image_quality(burnt).exposure < 0.7


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_image_of_nothing_is_worth_nothing(value):
    assert score(np.full((80, 100, 3), value, np.uint8)) < 0.01


def test_the_size_of_the_image_hardly_matters(draw_eye):
    scores = [score(draw_eye(3, size=size, margin=0.02)) for size in (256, 512, 1024)]
    assert max(scores) - min(scores) < 0.15


def test_scores_go_with_the_rows(draw_eye):
    images = [draw_eye(row, blur=3 * (row % 2)) for row in range(6)]
    table = pd.DataFrame({"image": range(6), "patient": "a", "label": 0})
    scores = quality_scores(LabelledImages(table, ArraySource(images), ("negative",)))
    assert (scores > 0.5).tolist() == [True, False] * 3


def test_synthetic_blurred_eyes_score_low():
    sharp, blurred = (synthetic_fundus(20, blur=blur, seed=1, cache=False) for blur in (0.0, 1.0))
    assert quality_scores(sharp).min() > quality_scores(blurred).max() - 0.1
    assert np.median(quality_scores(sharp)) > 0.5 > np.median(quality_scores(blurred))


@pytest.mark.realdata
def test_graders_agree():
    """Good against to be rejected, on photographs with a grader's word."""
    folder = os.environ.get("K2C_REALDATA")
    if not folder:
        pytest.skip("K2C_REALDATA is not set")
    data = fundus_folder(Path(folder) / "fundus").filter(lambda table: table["quality"].notna())
    scores, graded = quality_scores(data), data.table["quality"]
    clear = graded != 0.5
    assert roc_auc_score(graded[clear] == 1, scores[clear]) > 0.95
    assert pd.Series(scores).corr(graded, method="spearman") > 0.7
