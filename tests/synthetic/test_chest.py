"""The synthetic chest films: reproducible, labelled as the hospital's are, and drawn where the masks say."""

import numpy as np
import pytest

from k2c.datasets.chest import FINDINGS, cooccurrence, films_per_patient, synthetic_chest
from k2c.datasets.medmnist import COLLECTIONS
from k2c.errors import K2CError
from k2c.synthetic.chest import Film, draw_film


def test_the_facts_are_those_of_the_112120_films():
    table = cooccurrence()
    assert tuple(table) == FINDINGS == COLLECTIONS["chestmnist"].classes
    # Wang et al. (2017) and the release of all labels
    assert (table.loc["Infiltration", "Infiltration"], table.loc["Hernia", "Hernia"]) == (19894, 227)
    assert table.loc["Effusion", "Atelectasis"] == table.loc["Atelectasis", "Effusion"] == 3275
    films = films_per_patient()
    assert (films.sum(), (films * films.index).sum()) == (30805, 112120)


def test_the_same_seed_gives_the_same_bytes_whatever_n_and_the_cache():
    some, more = synthetic_chest(5, size=64, seed=3), synthetic_chest(70, size=64, seed=3, cache=False)
    assert all((some.image(row) == more.image(row)).all() for row in range(5))
    assert (some.table == more.table[:5]).all(axis=None)
    assert some.fingerprint() == more.subset(range(5)).fingerprint()
    assert some.fingerprint() != synthetic_chest(5, size=64, seed=4).fingerprint()
    again = synthetic_chest(5, size=64, seed=3)  # from the cache
    assert (again.images(64) == some.images(64)).all()
    assert some.image(0).shape == (64, 64) and some.image(0).dtype == np.uint8


def test_findings_occur_together_as_in_the_hospital():
    data = synthetic_chest(6000, size=32, seed=1)
    real = cooccurrence().to_numpy() / 112_120
    drawn = data.labels.T @ data.labels / len(data)
    assert np.abs(drawn - real).max() < 0.025
    assert abs((data.labels.sum(axis=1) == 0).mean() - 60_361 / 112_120) < 0.03
    assert abs((data.table["view"] == "AP").mean() - 44_810 / 112_120) < 0.03
    per_patient = data.table.groupby("patient").size()
    assert per_patient.max() <= 12 and abs((per_patient == 1).mean() - 17_503 / 30_805) < 0.05
    assert data.table.groupby("patient")[["age", "sex"]].nunique().max().max() == 1


def test_enriched_films_show_each_finding_about_equally_often():
    counts = synthetic_chest(2000, size=32, enriched=1.0).counts()
    assert min(counts.values()) > 2000 / 14 * 0.6


def test_noise_changes_labels_but_not_films():
    clean, noisy = synthetic_chest(3000, size=32), synthetic_chest(3000, size=32, label_noise=0.3)
    truth = noisy.table[[f"true_{name}" for name in FINDINGS]].to_numpy()
    assert (truth == clean.labels).all()
    assert clean.fingerprint() == noisy.fingerprint()
    missed = 1 - noisy.labels[truth == 1].mean()
    assert abs(missed - 0.3) < 0.05
    assert abs(noisy.labels.sum() / truth.sum() - 1) < 0.1  # as many are added as are missed


@pytest.mark.parametrize("finding", FINDINGS)
@pytest.mark.parametrize("view", ["PA", "AP"])
def test_every_finding_changes_the_film_where_its_mask_says(finding, view):
    changed = []
    for seed in range(4):
        without = draw_film(Film(seed, view=view, devices=()), 96)
        drawn = draw_film(Film(seed, view=view, devices=(), findings=(finding,)), 96)
        mask = drawn.masks[finding]
        assert set(drawn.masks) == {finding} and mask.dtype == bool and 0.0002 < mask.mean() < 0.75
        difference = np.abs(drawn.image.astype(float) - without.image)
        changed.append(difference[mask].mean() / max(difference[~mask].mean(), 0.5))
    assert np.median(changed) > 1.2  # the chest's shape may change elsewhere, too


def test_the_heart_of_cardiomegaly_is_wider_than_half_the_chest():
    films = [Film(seed, findings=findings) for findings in ((), ("Cardiomegaly",)) for seed in range(6)]
    for film in films[6:]:
        columns = np.flatnonzero(draw_film(film, 128).masks["Cardiomegaly"].any(axis=0))
        assert 0.36 < (columns[-1] - columns[0] + 1) / 128 < 0.75


def test_emphysema_flattens_the_diaphragm_and_darkens_the_lungs():
    for seed in range(4):
        drawn = draw_film(Film(seed, findings=("Emphysema",), devices=()), 128)
        without = draw_film(Film(seed, devices=()), 128)
        mask = drawn.masks["Emphysema"]
        right = mask[:, :64]
        columns = np.flatnonzero(right.any(axis=0))
        bottom = 127 - right[::-1, columns].argmax(axis=0)
        middle = bottom[len(columns) // 5 : -len(columns) // 5]  # without the angles at wall and heart
        assert np.ptp(middle) / 128 < 0.06
        assert drawn.image[mask].mean() < without.image[mask].mean() - 5


def test_a_film_is_the_same_image_at_every_size():
    film = Film(5, findings=("Effusion",), devices=())
    large, small = draw_film(film, 256), draw_film(film, 64)
    shrunk = large.image.reshape(64, 4, 64, 4).mean(axis=(1, 3))
    assert np.corrcoef(shrunk.ravel(), small.image.ravel())[0, 1] > 0.97
    coarse = large.masks["Effusion"].reshape(64, 4, 64, 4).mean(axis=(1, 3)) > 0.5
    both = small.masks["Effusion"]
    assert (coarse & both).sum() / (coarse | both).sum() > 0.8


def test_masks_come_with_the_data_set_also_after_subset():
    data = synthetic_chest(40, size=64, enriched=1.0)
    rows = np.flatnonzero(data.labels[:, FINDINGS.index("Effusion")])
    part = data.subset(rows)
    assert "Effusion" in part.masks(0) and part.masks(0)["Effusion"].shape == (64, 64)


def test_at_the_bedside_there_are_more_tubes_and_drains_betray_the_pneumothorax():
    def fraction(device, **film):
        return np.mean(
            [device in draw_film(Film(seed, **film), 32, masks=False).devices for seed in range(30)]
        )

    assert fraction("central line", view="AP") > fraction("central line", view="PA") + 0.1
    assert fraction("chest drain", view="AP") == 0
    assert fraction("chest drain", view="AP", findings=("Pneumothorax",)) > 0.3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: synthetic_chest(0), "n=0"),
        (lambda: synthetic_chest(3, size=8), "32 to 512"),
        (lambda: synthetic_chest(3, label_noise=2), "between 0 and 1"),
        (lambda: Film(findings=("Effusions",)), "did you mean 'Effusion'"),
        (lambda: Film(findings="Effusion"), "tuple"),
        (lambda: Film(view="lateral"), "PA, AP"),
    ],
)
def test_mistakes_are_told_in_a_sentence(call, words):
    with pytest.raises(K2CError, match=words):
        call()
