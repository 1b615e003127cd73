"""Images of one's own: a subfolder for each class, a CSV file of classes, a CSV file of findings."""

import numpy as np
import pytest
from PIL import Image

from k2c.datasets import load_images
from k2c.errors import K2CError


@pytest.fixture
def draw(tmp_path):
    """Return a function that writes small images of one colour."""

    def write(*names):
        for number, name in enumerate(names):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (16, 12), (10 * number, 0, 0)).save(tmp_path / name)
        return tmp_path

    return write


def test_subfolders_are_classes(draw, capsys):
    folder = draw("cat/1.png", "cat/2.png", "dog/deeper/1.png", "loose.png")
    (folder / "cat/notes.txt").write_text("mine")
    data = load_images(folder)
    assert data.classes == ("cat", "dog")
    assert data.table["image"].tolist() == ["cat/1.png", "cat/2.png", "dog/deeper/1.png"]
    assert (data.labels.tolist(), data.multi_label) == ([0, 0, 1], False)
    assert data.image(2).shape == (12, 16, 3)
    said = capsys.readouterr().out
    assert "it lies in no class's folder (loose.png)" in said
    assert "it is not an image (cat/notes.txt)" in said


def test_a_csv_file_names_classes_and_patients(draw):
    folder = draw("1.png", "2.png", "3.png")
    (folder / "mine.csv").write_text("file;patient;class;note\n1;a;cat;x\n2.png;a;dog;y\n3;;cat;\n")
    data = load_images(folder)
    assert (data.classes, data.labels.tolist()) == (("cat", "dog"), [0, 1, 0])
    assert data.table["patient"].tolist() == ["a", "a", "3"]
    assert data.table["note"].tolist() == ["x", "y", ""]


def test_columns_of_0_and_1_are_findings_and_empty_is_not_known(draw):
    folder = draw("a/1.png", "b/2.png")
    (folder / "labels.csv").write_text("image,person,Effusion,nodule,age\n1.png,p,1,no,50\n2.png,q,,yes,60\n")
    data = load_images(folder, "labels.csv")
    assert (data.classes, data.multi_label) == (("Effusion", "nodule"), True)
    np.testing.assert_array_equal(data.labels, [[1, 0], [np.nan, 1]])
    assert data.counts() == {"Effusion": 1, "nodule": 1}


def test_an_image_that_cannot_be_read_is_refused_or_left_out(draw, capsys):
    folder = draw("cat/1.png", "cat/2.png", "dog/1.png")
    (folder / "cat/3.png").write_bytes(b"no image at all")
    with pytest.raises(K2CError, match=r"3\.png .*missing=\"skip\""):
        load_images(folder)
    assert load_images(folder, missing="skip").counts() == {"cat": 2, "dog": 1}
    assert "cat/3.png" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("csv", "said"),
    [
        ("name,kind\n1,cat\n", "one class only: cat"),
        ("name,age\n1,30\n", "neither a column label nor columns of 0 and 1"),
        ("what,label\n1,cat\n", "no column that names the image"),
    ],
)
def test_what_is_missing_in_a_csv_file_is_said(draw, csv, said):
    folder = draw("1.png")
    (folder / "labels.csv").write_text(csv)
    with pytest.raises(K2CError, match=said):
        load_images(folder)
