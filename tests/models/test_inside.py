"""Evidence on a finding: what knows this film's place, what knows the usual place, and what knows nothing."""

import numpy as np
import pytest

from k2c.errors import K2CError
from k2c.metrics import mean_interval
from k2c.models import enlarged, evidence_inside

RNG = np.random.default_rng(1)


def squares(places, size=32, side=8):
    masks = []
    for y, x in places:
        mask = np.zeros((size, size), bool)
        mask[y : y + side, x : x + side] = True
        masks.append(mask)
    return masks


PLACES = RNG.integers(0, 24, (60, 2))
MASKS = squares(PLACES)


def test_evidence_everywhere_is_1_by_area_and_knows_no_film():
    found = evidence_inside(np.ones((60, 32, 32), np.float32), MASKS)
    assert found.own == pytest.approx(1) and found.difference == pytest.approx(0)


def test_evidence_on_the_finding_is_one_over_the_area_and_its_control_is_lower():
    found = evidence_inside(np.array(MASKS, np.float32), MASKS)
    assert found.own == pytest.approx(32 * 32 / 64)
    assert found.other.mean() < 0.4 * found.own.mean()


def test_who_only_knows_the_usual_place_gains_nothing_on_his_own_film():
    usual = np.mean(MASKS, axis=0, dtype=np.float32)
    found = evidence_inside(np.repeat(usual[None], 60, axis=0), MASKS)
    mean, low, high = mean_interval(found.difference, np.arange(60))
    assert found.own.mean() > 1.2 and low < 0 < high and abs(mean) < 0.1


def test_nobody_is_his_own_control():
    for seed in range(20):
        found = evidence_inside(np.array(MASKS[:2], np.float32), MASKS[:2], seed)
        assert (found.other < found.own).all()


def test_cells_become_pixels():
    assert enlarged(np.arange(4, dtype=np.float32).reshape(1, 2, 2), 4)[0].tolist() == [
        [0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3],
    ]  # fmt: skip


def test_the_interval_is_wider_when_films_of_a_patient_are_alike():
    patients = np.repeat(np.arange(20), 5)
    values = np.repeat(RNG.normal(size=20), 5)
    alone, together = (mean_interval(values, groups) for groups in (np.arange(100), patients))
    assert together[2] - together[1] > 1.5 * (alone[2] - alone[1])


@pytest.mark.parametrize(
    "masks, said", [(MASKS[:1], "two films"), ([MASKS[0], MASKS[1] & False], "one pixel")]
)
def test_what_cannot_be_measured_is_refused(masks, said):
    with pytest.raises(K2CError, match=said):
        evidence_inside(np.ones((len(masks), 32, 32), np.float32), masks)
