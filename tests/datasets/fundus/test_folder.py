"""A folder of fundus photographs and its CSV file, in the layouts that people have."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from k2c.datasets import audit, split_by_patient
from k2c.datasets.fundus import fundus_folder, load_fundus, normalise_contrast
from k2c.errors import K2CError


@pytest.fixture
def photographs(tmp_path, draw_eye):
    """Write a CSV file and a small photograph for each name, each with its own brightness."""

    def write(sheet: str, *names: str, called: str = "labels.csv") -> Path:
        for number, name in enumerate(names):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.pad(draw_eye(number, size=60), ((0, 0), (20, 20), (0, 0)))).save(path)
        (tmp_path / called).write_text(sheet)
        return tmp_path

    return write


def test_eyepacs(photographs):
    sheet = "image,level\n10_left,0\n10_right,1\n13_left,2\n13_right,4\n"
    names = [f"train/{name}.jpeg" for name in ("10_left", "10_right", "13_left", "13_right")]
    data = fundus_folder(photographs(sheet, *names, called="trainLabels.csv"))
    assert data.table["patient"].tolist() == ["10", "10", "13", "13"]
    assert data.table["eye"].tolist() == ["left", "right"] * 2
    assert data.table["grade"].tolist() == [0, 1, 2, 4] and data.table["quality"].isna().all()
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert load_fundus(data._sources[0].files[0].parents[1], positive="any").labels.tolist() == [0, 1, 1, 1]


def test_aptos(photographs):
    photographs("id_code\n0a1\n", called="test.csv")
    folder = photographs(
        "id_code,diagnosis\n0a1,3\nffe,0\n",
        "train_images/0a1.png",
        "train_images/ffe.png",
        called="train.csv",
    )
    data = fundus_folder(folder)
    assert data.labels.tolist() == [1, 0]
    assert data.table["patient"].tolist() == ["0a1", "ffe"]  # nobody knows better
    assert data.table["file"].tolist() == ["train_images/0a1.png", "train_images/ffe.png"]


def test_any_sheet(photographs):
    sheet = """\
        \ufeffFile Name, Patient ID, Side, Retinopathy Grade, Image Quality, Camera, Age
        Images\\A.JPG, p7, OD, 2, good, K1, 61
        images/b.jpg, p7, os, , usable, K1,
        /somewhere/else/c.jpg, p8, L, 1, 0.25, K2, 70"""
    folder = photographs(
        sheet.replace("        ", ""), "images/a.jpg", "images/b.jpg", "images/c.jpg", called="odd.csv"
    )
    with pytest.raises(
        K2CError, match=r"1 of the 3 rows of .*odd\.csv have no label, the first is 'images/b\.jpg'"
    ):
        fundus_folder(folder)
    data = load_fundus(folder, labels="odd.csv", missing="skip")
    assert data.table["image"].tolist() == ["a", "c"]
    assert data.table["eye"].tolist() == ["right", "left"] and data.table["quality"].tolist() == [1, 0.25]
    assert data.table["Camera"].tolist() == ["K1", "K2"] and data.table["Age"].tolist() == [61, 70]


@pytest.mark.parametrize(
    ("columns", "positive", "labels"),
    [
        ("referable", "referable", [0, 1]),
        ("dr", "any", [0, 1]),
        ("label", "any", [0, 1]),
        ("label", "referable", [0, 1]),
    ],
)
def test_labels_without_grades(photographs, columns, positive, labels):
    folder = photographs(f"file,{columns}\na.png,0\nb.png,1\n", "a.png", "b.png")
    data = fundus_folder(folder, positive=positive)
    assert data.labels.tolist() == labels and data.table["grade"].isna().all()


def test_photographs_are_cropped_and_evened_out_when_asked_for(photographs):
    folder = photographs("image,grade\na,0\n", "a.png")
    plain, cropped = fundus_folder(folder, crop=False), fundus_folder(folder)
    assert plain.image(0).shape == (60, 100, 3)
    assert abs(cropped.image(0).shape[0] - 48) <= 3 and cropped.image(0).shape[0] == cropped.image(0).shape[1]
    others = [fundus_folder(folder, contrast=method) for method in ("clahe", "local_mean")]
    assert len({data.fingerprint() for data in (plain, cropped, *others)}) == 4


@pytest.mark.parametrize("method", ["local_mean", "clahe"])
def test_contrast_normalisation_makes_exposures_alike(draw_eye, method):
    eye = draw_eye(0, size=120, margin=0.02)
    dark = (eye * 0.6).astype(np.uint8)
    bright, dim = normalise_contrast(eye, method), normalise_contrast(dark, method)
    seen = eye.sum(axis=2) > 60
    before = np.abs(eye[seen].mean() - dark[seen].mean())
    assert np.abs(bright[seen].mean() - dim[seen].mean()) < before
    assert bright.shape == eye.shape and bright[0, 0].max() == 0


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("", "is empty"),
        ("image,level\n", "is empty"),
        ("picture,level\na,0\n", "no column that names the image .* It has: picture, level"),
        ("image,age\na,60\n", "no column with a label: grade, level or diagnosis .* It has: image, age"),
        ("image,level\na,0\nb,7\n", "line 3: the grade is '7', but must be 0 to 4"),
        ("image,level\na,mildly\n", "line 2: the grade is 'mildly'"),
        ("image,level,quality\na,0,so-so\n", "line 2: the quality is 'so-so', but must be one of good"),
        ("image,level\na,0\nA.png,1\n", r"names a\.png twice with different labels, in the lines 2 and 3"),
        ("image,level\nsame,0\n", r"may be one/same\.png or two/same\.png"),
        ("image,level\na,0\nnone,1\nb,\n", "1 of the 3 rows .* the first is 'none'"),
        ("image,level\n,0\n", "line 2: no image is named"),
        ("image,dr\na,0\n", 'it has dr. Use load_fundus.*, positive="any"'),
        ("image,level\nnone,0\n", "name an image that the folder does not have"),
        ('image,level\n"a,0\n', "line 2: this is not a row of a CSV file: a quotation mark"),
    ],
)  # fmt: skip
def test_a_sheet_with_a_mistake_says_which(photographs, sheet, said):
    folder = photographs(sheet, "a.png", "b.png", "one/same.png", "two/same.png")
    with pytest.raises(K2CError, match=said):
        fundus_folder(folder)


def test_a_folder_with_a_mistake_says_which(photographs, tmp_path):
    with pytest.raises(K2CError, match="There is no folder"):
        fundus_folder(tmp_path / "nowhere")
    with pytest.raises(K2CError, match="holds no image"):
        fundus_folder(tmp_path)
    photographs("image,level\na,0\n", "a.png", called="labels.txt")
    with pytest.raises(
        K2CError, match=r"has no CSV file: name the one with the labels: labels=.* -p labels="
    ):
        fundus_folder(tmp_path)
    photographs("image,level\na,0\n", called="one.csv")
    photographs("image,level\na,0\n", "a.png", called="two.csv")
    with pytest.raises(K2CError, match=r"several CSV files \(one\.csv, two\.csv\)"):
        fundus_folder(tmp_path)
    assert len(fundus_folder(tmp_path, labels="two.csv")) == 1
    with pytest.raises(K2CError, match=r"There is no file three\.csv"):
        fundus_folder(tmp_path, labels="three.csv")
    for option, said in {
        "contrast": "no contrast normalisation",
        "positive": "no kind",
        "missing": "no way",
    }.items():
        with pytest.raises(K2CError, match=said):
            fundus_folder(tmp_path, labels="two.csv", **{option: "odd"})


def test_a_source_that_does_not_exist():
    with pytest.raises(
        K2CError, match=r"'synthetics'; did you mean 'synthetic'\? .* A folder of photographs"
    ):
        load_fundus("synthetics")
    with pytest.raises(
        K2CError, match="no option of these photographs 'prevalance'; did you mean 'prevalence'"
    ):
        load_fundus("synthetic", prevalance=0.1)
    with pytest.raises(
        K2CError, match=r"labels=.* names the CSV file of a folder, but the source is .synthetic."
    ):
        load_fundus("synthetic", labels="labels.csv")


def test_synthetic_is_the_default():
    data = load_fundus(n=6, prevalence=0.5, cache=False)
    assert len(data) == 6 and data.classes == ("no retinopathy", "retinopathy")


@pytest.mark.realdata
def test_real_photographs_load_and_stand_the_audit():
    folder = os.environ.get("K2C_REALDATA")
    if not folder:
        pytest.skip("K2C_REALDATA is not set")
    data = load_fundus(Path(folder) / "fundus")
    assert repr(data) == "fundus: 640 images of 320 patients (no retinopathy: 527, retinopathy: 113)"
    assert (data.labels == data.table["referable"]).all()
    grades = data.table["grade"].value_counts().sort_index()
    assert grades.tolist() == [487, 40, 80, 20, 13]
    (dark,) = audit(*split_by_patient(data)).findings  # two photographs that were hardly exposed
    assert dark.kind == "narrow range" and len(dark.rows) == 2
