"""Synthetic fundus photographs: one seed gives the same eyes, what is asked for is there, where the masks say."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage

from k2c.datasets import audit
from k2c.datasets.fundus import synthetic_fundus
from k2c.errors import K2CError
from k2c.synthetic.fundus import CAMERAS, LESIONS, Eye, draw_eye

SMALL = 64
LEAST_CHANGE = 6  # of 255: what counts as a difference between two drawings


def sharpness(image: np.ndarray) -> float:
    side = len(image)
    grey = image[side // 4 : -side // 4, side // 4 : -side // 4].mean(axis=2)
    grey = grey.reshape(len(grey) // 2, 2, -1, 2).mean(axis=(1, 3))
    return float(np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_eyes():
    first = synthetic_fundus(6, size=SMALL, seed=3, cache=False).images(SMALL)
    again = synthetic_fundus(6, size=SMALL, seed=3, cache=False).images(SMALL)
    other = synthetic_fundus(6, size=SMALL, seed=4, cache=False).images(SMALL)
    assert first.tobytes() == again.tobytes()
    assert all((a != b).mean() > 0.3 for a, b in zip(first, other, strict=True))


def test_an_eye_does_not_depend_on_how_many_there_are_nor_on_who_draws_it():
    few = synthetic_fundus(5, size=SMALL, cache=False)
    many = synthetic_fundus(20, size=SMALL, workers=2)  # in another process
    assert np.array_equal(few.images(SMALL), many.images(SMALL)[:5])
    assert few.table.equals(many.table[:5])


def test_images_are_kept_and_taken_from_the_cache(cache, monkeypatch):
    made = synthetic_fundus(3, size=SMALL).images(SMALL)
    monkeypatch.setattr("k2c.datasets.fundus.synthetic.draw_eye", None)
    assert np.array_equal(synthetic_fundus(3, size=SMALL).images(SMALL), made)
    assert len(list(cache.rglob("*.npy"))) == 1
    assert not list(cache.rglob("*.part"))


def test_three_of_203_eyes_are_positive_by_default():
    for seed in range(5):
        data = synthetic_fundus(seed=seed)
        assert data.counts() == {"no retinopathy": 200, "retinopathy": 3}
        assert (len(data), data.table["patient"].nunique()) == (203, 102)
        assert ((data.table["grade"] >= 2) == data.labels).all()


@pytest.mark.parametrize("prevalence", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_prevalence_is_what_was_asked_for(prevalence):
    data = synthetic_fundus(800, prevalence=prevalence)
    assert data.labels.mean() == pytest.approx(prevalence, abs=0.01)
    positive_by_eye = data.table.groupby("eye")["label"].mean()
    assert positive_by_eye["left"] == pytest.approx(positive_by_eye["right"], abs=0.1)


def test_labels_by_patient_mark_the_fellow_eye_too_and_change_no_image():
    truth = synthetic_fundus(400, prevalence=0.3)
    blamed = synthetic_fundus(400, prevalence=0.3, labels="patient")
    assert blamed.fingerprint() == truth.fingerprint()
    assert np.array_equal(blamed.table["true_label"], truth.labels)
    assert (blamed.labels >= truth.labels).all()
    wrong = (blamed.labels > truth.labels).sum()
    assert 0.15 < wrong / blamed.labels.sum() < 0.5
    either = truth.table.groupby("patient")["label"].transform("max")
    assert np.array_equal(blamed.labels, either)


def test_the_optic_disc_lies_on_the_side_of_the_eye():
    for seed in range(8):
        left, right = (
            draw_eye(Eye(seed=seed, side=side, camera="coral")).image for side in ("left", "right")
        )
        columns = [
            np.argmax(ndimage.uniform_filter(image[..., 1], 15).max(axis=0)) for image in (left, right)
        ]
        assert columns[0] < 112 < columns[1]


def test_the_eyes_of_a_patient_have_the_same_colours():
    def colour(eye: Eye) -> np.ndarray:
        return draw_eye(eye).image[60:160, 60:160].mean(axis=(0, 1))

    pairs = [(colour(Eye(seed=i, patient=i)), colour(Eye(seed=100 + i, patient=i))) for i in range(12)]
    own = np.mean([np.abs(a - b) for a, b in pairs])
    others = np.mean([np.abs(a - b) for (a, _), (_, b) in pairwise(pairs)])
    assert own < 0.6 * others


@pytest.mark.parametrize("share", ["blur", "exposure", "dust", "lookalikes"])
def test_a_larger_fraction_of_a_trouble_adds_eyes_and_leaves_the_others_as_they_are(share):
    none, some, every = (synthetic_fundus(200, **{share: value}).table for value in (0, 0.3, 1))
    column = share.removesuffix("s")
    troubled = [(table[column] != none[column]).to_numpy() for table in (some, every)]
    allowed = (none["grade"] == 0) if share == "lookalikes" else np.ones(200, bool)
    assert troubled[0].sum() / allowed.sum() == pytest.approx(0.3, abs=0.1)
    assert np.array_equal(troubled[1], allowed)
    assert some[column][troubled[0]].equals(every[column][troubled[0]])
    assert some.drop(columns=[column, "quality"]).equals(none.drop(columns=[column, "quality"]))


def test_blur_and_exposure_do_what_they_say():
    eye = Eye(seed=2, grade=3)
    drawn = [draw_eye(replace(eye, blur=blur)).image for blur in (0, 1, 2, 4)]
    assert all(sharpness(b) < 0.9 * sharpness(a) for a, b in pairwise(drawn))
    rim = [draw_eye(replace(eye, blur=blur)).image[104:120, :6].astype(float).max() for blur in (0, 4)]
    assert rim[1] < rim[0] + 10  # nothing comes in from outside of the image
    means = [draw_eye(replace(eye, exposure=stops)).image.mean() for stops in (-2, -1, 0, 1)]
    assert all(b > 1.2 * a for a, b in pairwise(means))


@pytest.mark.parametrize("camera", sorted(CAMERAS))
def test_the_masks_lie_where_the_image_differs_from_the_eye_without_them(camera):
    for seed in range(3):
        eye = Eye(seed=seed, camera=camera, grade=4)
        positive, plain = draw_eye(eye), draw_eye(replace(eye, grade=0))
        change = np.abs(positive.image.astype(int) - plain.image).max(axis=2)
        marked = np.any([*positive.masks.values()], axis=0)
        grown = np.any([np.roll(marked, (i, j), (0, 1)) for i in range(-2, 3) for j in range(-2, 3)], axis=0)
        assert (change[~grown] > 4 * LEAST_CHANGE).mean() < 0.002  # JPEG smears a little
        strong = marked & ~positive.masks["venous_beading"] & (plain.image.max(axis=2) > 60)
        assert (change[strong] > LEAST_CHANGE).mean() > 0.6
        assert not any(mask.any() for mask in plain.masks.values())


def test_a_higher_grade_has_more_lesions_and_its_own_kinds():
    for seed in range(12):
        counts = [draw_eye(Eye(seed=seed, grade=grade), SMALL).counts for grade in range(5)]
        totals = [sum(count.values()) for count in counts]
        assert totals[0] == 0 and totals == sorted(totals) and len(set(totals)) == 5
        assert {kind for kind, number in counts[1].items() if number} == {"microaneurysm"}
        assert counts[2]["haemorrhage"] and not counts[2]["venous_beading"]
        assert counts[3]["haemorrhage"] >= 20 and counts[3]["venous_beading"] >= 2
        assert counts[4]["new_vessels"] or counts[4]["preretinal"]


def test_lesions_are_as_faint_as_asked_and_differ_between_eyes():
    made = synthetic_fundus(400, contrast=0.6).table["contrast"]
    assert (made.min(), made.mean(), made.max()) == pytest.approx((0.3, 0.6, 0.9), abs=0.02)
    eye = Eye(seed=4, grade=3, contrast=0.8)
    plain, faint, strong = (
        draw_eye(changed).image.astype(int)
        for changed in (replace(eye, grade=0), replace(eye, contrast=0.2), eye)
    )
    assert 0 < np.abs(faint - plain).mean() < 0.5 * np.abs(strong - plain).mean()


def test_the_masks_of_a_data_set_follow_its_subsets():
    data = synthetic_fundus(12, prevalence=0.5, size=SMALL, contrast=1.0)
    positive = data.filter(label=1)
    masks = positive.masks(0)
    assert set(masks) == set(LESIONS)
    assert masks["haemorrhage"].shape == (SMALL, SMALL) and masks["haemorrhage"].any()


def test_every_size_shows_the_same_eye():
    large = draw_eye(Eye(seed=4, grade=3), 256).image.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    small = draw_eye(Eye(seed=4, grade=3), 64).image
    other = draw_eye(Eye(seed=5, grade=3), 64).image
    assert np.abs(large - small).mean() < 0.2 * np.abs(large - other).mean()


def test_nothing_but_the_lesions_gives_the_label_away():
    found = audit(synthetic_fundus(160, prevalence=0.5, size=SMALL, blur=0.2, exposure=0.2, dust=0.2))
    assert [finding for finding in found.findings if "give" in finding.kind] == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"n": 0}, "1 or more"),
        ({"prevalence": 3}, "prevalence=3 is not a fraction"),
        ({"blur": -0.1}, "between 0 and 1"),
        ({"labels": "patients"}, "did you mean 'patient'"),
        ({"size": 8}, "32 to 1024"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_is_allowed(wrong, said):
    with pytest.raises(K2CError, match=said):
        synthetic_fundus(**wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grade": 5}, "0 .none. to 4"),
        ({"camera": "ambre"}, "did you mean 'amber'"),
        ({"side": "up"}, "left, right"),
    ],
)
def test_an_eye_that_cannot_be_is_refused(wrong, said):
    with pytest.raises(K2CError, match=said):
        Eye(**wrong)


def test_without_a_place_to_keep_them_images_are_drawn_and_a_warning_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="images are not kept, because .* cannot be written"):
        assert synthetic_fundus(2, size=32).image(0).shape == (32, 32, 3)


def test_a_kept_file_that_was_cut_short_is_drawn_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(tmp_path))
    right = synthetic_fundus(2, size=32).images(32)
    (kept,) = (tmp_path / "synthetic_fundus").glob("*.npy")
    kept.write_bytes(kept.read_bytes()[:-100])
    np.testing.assert_array_equal(synthetic_fundus(2, size=32).images(32), right)
