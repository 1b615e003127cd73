"""The audit finds each defect that ruins a data set, and nothing in a sound one."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from k2c.datasets import ArraySource, FileSource, LabelledImages, audit, split_by_patient

CLASSES = ("no retinopathy", "retinopathy")
PATIENTS = 40


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Two eyes per patient; every other patient is positive."""
    patient = np.repeat(np.arange(PATIENTS), 2)
    table = pd.DataFrame(
        {"image": [f"eye{row}" for row in range(2 * PATIENTS)], "patient": patient.astype(str)}
    )
    return table.assign(label=patient % 2, eye=["left", "right"] * PATIENTS, grade=2.0 * (patient % 2))


@pytest.fixture(scope="module")
def sound(rows, draw_eye) -> LabelledImages:
    """Photographs that differ in everything, but in nothing that goes with the label."""
    return data_of(rows, [draw_eye(row, size=180 + 7 * (row % 9), red=120 + row) for row in range(len(rows))])


def data_of(rows: pd.DataFrame, images: list[np.ndarray]) -> LabelledImages:
    return LabelledImages(rows, ArraySource(images), CLASSES, name="eyes")


def images_of(data: LabelledImages) -> list[np.ndarray]:
    return [data.image(row) for row in range(len(data))]


def resaved(image: np.ndarray) -> np.ndarray:
    """Smaller, darker, and compressed."""
    file = io.BytesIO()
    dark = Image.fromarray((image * 0.8).astype(np.uint8))
    dark.reduce(2).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))


def kinds(report) -> dict[str, list[int]]:
    return {found.kind: found.rows for found in report.findings}


def test_a_sound_set_passes_whole_and_split(sound):
    report = audit(sound)
    assert report.ok and report.table().empty, report
    assert len(report.passed) == 4
    parts = audit(*split_by_patient(sound))
    assert parts.ok and "✓ no patient is on both sides" in repr(parts)


@pytest.mark.parametrize("seed", range(4))
def test_no_false_alarm_on_chance(rows, draw_eye, seed):
    """Cameras that go with patients, not with labels: a naive check would find a pattern in 40 patients."""
    random = np.random.default_rng(seed)
    camera = np.repeat(random.integers(0, 3, PATIENTS), 2)
    images = [
        draw_eye(row, size=100 + 20 * camera[row], red=130 + 30 * camera[row]) for row in range(len(rows))
    ]
    assert "label given away" not in kinds(audit(data_of(rows, images)))


@pytest.mark.parametrize(
    "copy",
    [lambda image: image, resaved, lambda image: image[:, ::-1], lambda image: image[::-1, ::-1]],
    ids=["same", "saved-anew", "mirrored", "turned"],
)
def test_copies_are_found(sound, copy):
    images = images_of(sound)
    images[12], images[13] = copy(images[8]), copy(images[9])  # two negative patients
    images[30] = copy(images[3])  # two positive ones, of which one gets another label
    report = audit(data_of(sound.table.assign(label=[*sound.labels[:30], 0, *sound.labels[31:]]), images))
    assert kinds(report)["copy"] == [8, 9, 12, 13]
    assert kinds(report)["copy with another label"] == [3, 30]
    assert "eye8 = eye12" in repr(report)


def test_a_copy_on_both_sides_is_worse(sound):
    images = images_of(sound)
    train = sound.subset(slice(0, 40))
    images[50] = resaved(images[4])
    test = data_of(sound.table, images).subset(slice(40, None))
    report = audit(train, test)
    assert kinds(report)["copy on both sides"] == [4, 50]
    assert not report.ok and report.findings[0].severity == "error"


def test_a_patient_on_both_sides(sound):
    report = audit(sound.filter(eye="left"), sound.filter(eye="right"))
    assert len(kinds(report)["patient on both sides"]) == len(sound)
    assert "40 patients are in the training part and in the test part (0, 1, 10, ...)" in repr(report)


@pytest.mark.parametrize(
    ("sign", "trait"),
    [
        (lambda eye: eye.repeat(2, axis=0).repeat(2, axis=1), "size of the file"),
        (lambda eye: np.pad(eye[20:-20, 20:-20], ((20, 20), (20, 20), (0, 0))), "fraction of the surround"),
        (lambda eye: eye + np.uint8(60) * (eye > 20), "mean colour"),
    ],
    ids=["size", "crop", "colour"],
)
def test_a_label_that_the_camera_gives_away(rows, draw_eye, sign, trait):
    """The much-used kind of set whose positive and negative eyes come from two collections."""
    random = np.random.default_rng(0)
    eyes = [draw_eye(row, 100, red=130 + row * 37 % 60, margin=row * 13 % 11 / 100) for row in rows.index]
    marked = (rows["label"] == 1) & (random.random(len(rows)) < 0.95)
    report = audit(data_of(rows, [sign(eye) if marked[row] else eye for row, eye in enumerate(eyes)]))
    assert list(kinds(report)) == ["label given away"]
    assert trait in report.findings[0].sentence


def test_of_several_findings_the_one_that_is_given_away_is_named(rows, draw_eye):
    random = np.random.default_rng(0)
    films = rows.drop(columns=["label", "grade"]).assign(Mass=rows["label"].astype(float))
    films["Edema"] = random.integers(0, 2, len(films)).astype(float)
    films.loc[3, "Mass"] = np.nan
    images = [draw_eye(row, size=100 + 30 * int(rows["label"][row]))[..., 0] for row in rows.index]
    report = audit(LabelledImages(films, ArraySource(images), ("Edema", "Mass")))
    (found,) = report.findings
    assert "'Mass'" in found.sentence and 3 not in found.rows


def test_too_few_patients_are_said_to_be_too_few(sound):
    report = audit(sound.subset(slice(0, 12)))
    assert report.ok and "too few patients" in repr(report)


def test_unreadable_and_empty_files(sound, tmp_path):
    paths = []
    for row in range(len(sound)):
        paths.append(tmp_path / f"{row}.png")
        Image.fromarray(sound.image(row)).save(paths[-1])
    paths[3].write_text("no image")
    paths[9].unlink()
    Image.new("RGB", (120, 120)).save(paths[20])
    report = audit(LabelledImages(sound.table, FileSource(paths), CLASSES))
    assert kinds(report)["unreadable"] == [3, 9] and kinds(report)["empty"] == [20]
    assert "2 images cannot be read, the first: " in repr(report) and "readable()" in repr(report)


def test_labels_that_contradict_the_grade_or_each_other(sound):
    label = sound.labels.copy()
    label[[2, 5]] = 1 - label[[2, 5]]
    report = audit(sound.with_columns(label=label))
    assert kinds(report)["label against grade"] == [2, 5]

    twice = sound.subset(slice(0, 40)).with_columns(grade=np.nan, eye="left")
    label = twice.labels.copy()
    label[10] = 1 - label[10]
    assert kinds(audit(twice.with_columns(label=label)))["eye with two labels"] == [10, 11]
