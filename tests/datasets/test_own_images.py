"""Folders of a user's own images and their labels: which row is which file, and a word on all that is left out.

What holds for fundus photographs holds for chest films: both loaders are tried.
"""

import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from k2c.datasets import LabelledImages
from k2c.datasets.chest import FINDINGS, load_chest
from k2c.datasets.fundus import load_fundus
from k2c.errors import K2CError

HEIC = (
    f"it cannot be read: HEIC image, which needs the package pillow-heif: {sys.executable} -m pip install pillow-heif, "
    "or save it as JPEG or PNG"
)
POSITIVE = {"fundus": "3", "chest": "Hernia"}


class Folder:
    """A folder with images of one brightness each, and a CSV file with a row for each name."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path, self.kind = path, kind
        self.load: Callable[..., LabelledImages] = {"fundus": load_fundus, "chest": load_chest}[kind]

    def image(self, name: str, value: int = 100) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 40), value, np.uint8)).save(path)
        return path

    def labels(self, *names: str) -> None:
        """Write rows; of a name that ends in `+`, the label is positive."""
        column, negative = {"fundus": ("grade,split", "0"), "chest": ("Finding Labels,split", "No Finding")}[
            self.kind
        ]
        rows = [
            f"{n.rstrip('+')},{POSITIVE[self.kind] if n.endswith('+') else negative},train" for n in names
        ]
        (self.path / "labels.csv").write_text("\n".join([f"image,{column}", *rows]), encoding="utf-8")

    def files(self, **options: str) -> list[str]:
        return self.load(self.path, **options).table["file"].tolist()


@pytest.fixture(params=["fundus", "chest"])
def folder(request, tmp_path):
    (tmp_path / "mine").mkdir()
    return Folder(tmp_path / "mine", request.param)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a", "a.png"),
        ("A.PNG", "a.png"),
        ("a.jpeg", "a.png"),
        ("images\\a", "images/a.png"),
        ("C:\\data\\images\\a.tif", "images/a.png"),
        ("./images/a.png", "images/a.png"),
        ("/home/somebody/a.png", "images/a.png"),
        ("1.2.840.10", "1.2.840.10.png"),
        (unicodedata.normalize("NFD", "größe"), "größe.png"),
    ],
)
def test_names_are_found_however_they_are_written(folder, name, file):
    folder.image(file)
    folder.image("1.2.840.11.png")
    folder.labels(name)
    assert folder.files() == [file]


def test_a_name_that_may_be_several_files_is_refused(folder):
    for patient in range(1, 7):
        folder.image(f"patient0{patient}/view1.png", patient)
    folder.labels(*["view1.png"] * 6)
    with pytest.raises(
        K2CError,
        match=r"line 2: 'view1\.png' may be patient01/view1\.png or patient02/view1\.png or .*Write it with its folder",
    ):
        folder.files()


def test_the_image_of_one_patient_never_stands_for_that_of_another(folder):
    folder.image("patient02/view1.png")
    folder.labels("patient01/view1.png", "patient02/view1.png")
    with pytest.raises(K2CError, match=r"1 of the 2 rows .* the first is 'patient01/view1\.png' in line 2"):
        folder.files()
    assert folder.files(missing="skip") == ["patient02/view1.png"]


def test_an_exact_path_is_no_ambiguity(folder):
    for name in ("a.png", "thumbnails/a.png", "a.jpg", "B.png", "b.png"):
        folder.image(name)
    folder.labels("a.png", "b.png")
    assert folder.files() == ["a.png", "b.png"]


def test_one_image_with_two_labels_is_refused_with_both_lines(folder):
    folder.image("a.png")
    folder.labels("a.png", "a+")
    with pytest.raises(
        K2CError, match=r"names a\.png twice with different labels, in the lines 2 and 3: keep the right one"
    ):
        folder.files()


def test_one_image_twice_with_one_label_is_read_once(folder, capsys):
    folder.image("a.png")
    folder.labels("a.png", "a")
    assert folder.files() == ["a.png"]
    assert (
        "left out 1, because: the row repeats an earlier one of the same image (a.png in line 3)"
        in capsys.readouterr().out
    )


@pytest.fixture
def half_broken(folder, tmp_path):
    """Three images that can be read, and one of each kind that cannot."""
    for name in ("a.png", "b.png", "c.png", "extra.png"):
        folder.image(name)
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    Image.fromarray(noise).save(folder.path / "cut.jpg")
    (folder.path / "cut.jpg").write_bytes((folder.path / "cut.jpg").read_bytes()[:9000])
    (folder.path / "empty.png").touch()
    (folder.path / "page.jpg").write_text("<html>404</html>")
    (folder.path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(600))
    (folder.path / "notes.txt").write_text("dear diary")
    (folder.path / "Thumbs.db").write_text("x")
    (folder.path / ".hidden.png").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    Image.new("L", (40, 40)).save(tmp_path / "elsewhere" / "secret.png")
    (folder.path / "link.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
    (folder.path / "more").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(folder.path / "pipe.png")
    Image.new("1", (30_000, 20_000)).save(folder.path / "bomb.png")
    folder.labels(
        "a", "b+", "c", "gone", "cut", "empty", "page", "notes.txt", "link", "secret", "pipe", "bomb", "phone"
    )
    return folder


def test_all_that_is_left_out_is_named_with_its_reason(half_broken, capsys):
    data = half_broken.load(half_broken.path, missing="skip")
    assert data.table["file"].tolist() == ["a.png", "b.png", "c.png"]
    assert data.report.left_out == {
        "a file of the operating system": ["Thumbs.db"],
        "hidden": [".hidden.png"],
        "empty": ["empty.png"],
        "a link that leads out of the folder": ["more/", "link.png"],
        "not an ordinary file": ["pipe.png"],
        "the folder does not have the image": ["gone", "secret"],
        "it cannot be read: cut short or damaged": ["cut"],
        "it cannot be read: web page, not an image": ["page"],
        HEIC: ["phone"],
        "it cannot be read: not an image in a format that can be read": ["notes.txt"],
        "it cannot be read: has too many pixels to be decoded safely": ["bomb"],
        "no row of labels.csv names it": ["extra.png"],
    }
    said = capsys.readouterr().out
    assert said.startswith("Read 3 images; left out 14, because:")
    assert all(reason in said for reason in data.report.left_out)


def test_without_skip_the_first_is_named_with_what_to_do(half_broken):
    with pytest.raises(
        K2CError,
        match=r"2 of the 13 rows .* does not have, the first is \'gone\' in line 5\. To go on without, "
        r"use missing=.skip. \(on the command line: -p missing=skip; in a batch file: missing: skip\)",
    ):
        half_broken.files()
    half_broken.labels("a", "page", "pipe", "b")
    with pytest.raises(
        K2CError, match=r"2 of the 4 rows .* cannot be read, the first is 'page' in line 3\. .* web page"
    ):
        half_broken.files()


def test_rows_without_a_label(folder):
    folder.image("a.png")
    folder.image("b.png")
    folder.labels("a+", "b")
    text = (folder.path / "labels.csv").read_text().replace("b,0", "b,n/a").replace("No Finding", "n/a")
    (folder.path / "labels.csv").write_text(text)
    with pytest.raises(K2CError, match=r"1 of the 2 rows .* have no label, the first is 'b' in line 3"):
        folder.files()
    assert folder.load(folder.path, missing="skip").report.left_out == {"there is no label": ["b"]}


def test_the_report_stays_with_parts_and_grows_when_more_is_left_out(folder, capsys):
    for name in ("a.png", "b.png", "x.png"):
        folder.image(name)
    folder.labels("a", "b")
    data = folder.load(folder.path)
    assert data.subset([0]).report is data.report
    assert folder.load(folder.path).merge(data).report.read == 4
    (folder.path / "b.png").write_text("oops, changed since")
    good = data.readable()
    assert len(good) == 1 and good.report.read == 1
    assert good.report.left_out == {
        "no row of labels.csv names it": ["x.png"],
        "it cannot be read: not an image in a format that can be read": [str(data.table["image"][1])],
    }
    assert len(data.report) == 1 and capsys.readouterr().out.count("Read 1 image;") == 1


def test_synthetic_images_have_no_report_and_say_nothing(folder, capsys):
    data = folder.load("synthetic", n=4)
    assert data.report is None and data.readable().report is None and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "word", ["no dr", "No_DR", "mild", "Moderate", "SEVERE", "Proliferative DR", "severe NPDR"]
)
def test_words_for_grades(tmp_path, word):
    folder = Folder(tmp_path, "fundus")
    folder.image("a.png")
    (tmp_path / "labels.csv").write_text(f"image;level\na;{word}\n")
    grade = dict(zip("nmMSPs", (0, 1, 2, 3, 4, 3), strict=True)) | {"N": 0}
    assert load_fundus(tmp_path).table["grade"].tolist() == [grade[word[0]]]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_the_official_list_of_test_films(tmp_path, capsys, encoding):
    folder = Folder(tmp_path, "chest")
    for name in ("images/1_0.png", "images/2_0.png", "images/3_0.png"):
        folder.image(name)
    (tmp_path / "labels.csv").write_text("image,findings\n1_0.png,Mass\n2_0.png,Hernia\n3_0.png,Mass\n")
    (tmp_path / "test_list.txt").write_bytes("1_0.png \r\n\r\n9_0.png\r\n".encode(encoding))
    (tmp_path / "train_val_list.txt").write_bytes("2_0.png\r\n".encode(encoding))
    data = load_chest(tmp_path)
    assert data.table["split"].tolist() == ["test", "train", "train"]
    said = capsys.readouterr().out
    assert "put 1 of 3 into the test part" in said and "in neither list count as training films: 1" in said
    assert "list.txt" not in said
    (tmp_path / "train_val_list.txt").write_text("1_0.png\n2_0.png\n")
    with pytest.raises(K2CError, match=r"both name images/1_0\.png"):
        load_chest(tmp_path)


def test_findings_as_columns_with_words(tmp_path):
    folder = Folder(tmp_path, "chest")
    folder.image("a.png")
    header = ";".join(["image", "Patient Age", *FINDINGS, "split"])
    (tmp_path / "labels.csv").write_text(f"sep=;\n{header}\na;011M;yes;No;NA{';0' * 11};train\n")
    data = load_chest(tmp_path)
    assert data.labels[0, :2].tolist() == [1, 0] and np.isnan(data.labels[0, 2])
    assert round(data.table["age"][0], 3) == 0.917
