"""Confidence against truth."""

import numpy as np
import pandas as pd
import pytest
import torch

from k2c.errors import K2CError
from k2c.metrics import calibration_error, fit_temperature, how_sure, reliability

GENERATOR = torch.Generator().manual_seed(0)
HONEST = 2 * torch.randn(
    4000, 5, generator=GENERATOR
)  # logits, and labels drawn from their own probabilities
LABELS = torch.multinomial(HONEST.softmax(dim=1), 1, generator=GENERATOR)[:, 0]


def error_of(sure, bins=15):
    return calibration_error(sure["confidence"], sure["right"], bins)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_factor_on_honest_logits(factor):
    temperature = fit_temperature(factor * HONEST, LABELS)
    assert temperature == pytest.approx(factor, rel=0.06)
    assert error_of(how_sure(factor * HONEST, LABELS, temperature)) < 0.03
    before, after = (how_sure(factor * HONEST, LABELS, t)["right"] for t in (1.0, temperature))
    assert before.equals(after)  # the answers stay


def test_an_example_may_have_several_right_classes():
    single = torch.nn.functional.one_hot(LABELS, 5).bool()
    assert fit_temperature(HONEST, single) == pytest.approx(fit_temperature(HONEST, LABELS), rel=1e-4)
    either = single.clone()
    either[:, 0] = True
    right = how_sure(HONEST, either)["right"]
    assert (right >= how_sure(HONEST, LABELS)["right"]).all()
    assert right[HONEST.argmax(dim=1).numpy() == 0].all()


def test_a_group_has_the_weight_of_one_example():
    few, many = HONEST[:40], HONEST[40:80]
    logits = torch.cat([few, many.repeat(50, 1)])
    labels = torch.cat([LABELS[:40], LABELS[40:80].repeat(50)])
    groups = np.r_[np.arange(40), np.tile(np.arange(40, 80), 50)]
    assert fit_temperature(logits, labels, groups) == pytest.approx(
        fit_temperature(HONEST[:80], LABELS[:80]), rel=1e-3
    )


def test_the_error_is_the_gap_between_sure_and_right():
    sure = pd.DataFrame({"confidence": [0.9] * 10, "right": [True] * 6 + [False] * 4})
    assert error_of(sure) == pytest.approx(0.3, abs=1e-6)
    both = pd.concat([sure, pd.DataFrame({"confidence": [0.25] * 10, "right": [True] * 5 + [False] * 5})])
    assert error_of(both) == pytest.approx((0.3 + 0.25) / 2, abs=1e-6)


def test_the_bins_hold_every_example_once():
    sure = how_sure(HONEST, LABELS)
    table = reliability(sure, bins=8)
    assert table["examples"].sum() == len(sure)
    assert ((table["low"] <= table["confidence"]) & (table["confidence"] <= table["high"])).all()
    gaps = (table["right"] - table["confidence"]).abs()
    assert np.average(gaps, weights=table["examples"]) == pytest.approx(error_of(sure, bins=8), abs=1e-4)


def test_targets_that_do_not_fit_are_refused():
    with pytest.raises(K2CError, match="need targets"):
        fit_temperature(HONEST, LABELS[:10])
    with pytest.raises(K2CError, match="without any right class"):
        fit_temperature(HONEST, torch.zeros_like(HONEST, dtype=torch.bool))


def test_probabilities_that_do_not_fit_are_refused():
    with pytest.raises(K2CError, match="one of each per example"):
        calibration_error([0.5, 0.5], [True])
    with pytest.raises(K2CError, match="not probabilities"):
        calibration_error([0.5, 1.5], [True, False])
    assert calibration_error([1.0, 1.0], [True, True]) == 0  # always right, and sure of it
