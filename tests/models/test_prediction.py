"""`k2c predict`: a folder as people have them, and the table that comes out."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from k2c.datasets.photographs import sample_photograph
from k2c.errors import K2CError
from k2c.models.prediction import COLUMNS, find_pictures, predict_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with four good pictures, some of them odd, and five files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "below" / "deeper").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    cat = Image.fromarray(sample_photograph("cat"))
    cat.save(folder / "cat.jpg", quality=90)
    cat.convert("CMYK").save(folder / "below/cmyk.jpg")
    grey = np.asarray(cat.convert("L")).astype(np.uint16) * 257
    Image.fromarray(grey).save(folder / "below/deeper/sixteen bit.PNG")
    Image.fromarray(sample_photograph("coffee")).save(folder / "größe, klein.webp")
    whole = (folder / "cat.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("no picture")
    (folder / "empty.png").touch()
    Image.new("RGB", (1, 1)).save(folder / "one.png")
    (folder / ".hidden/cat.jpg").write_bytes(whole)
    (folder / "notes.txt").write_text("not meant")
    return folder


@pytest.fixture(scope="module")
def predicted(folder, tmp_path_factory):
    file = tmp_path_factory.mktemp("table") / "new" / "answers.csv"
    report = predict_folder(folder, file, top=3)
    with file.open(encoding="utf-8", newline="") as stream:
        return report, list(csv.DictReader(stream)), file


def test_every_good_picture_has_its_rows_in_order(predicted):
    report, rows, _ = predicted
    assert report.predicted == 4
    assert tuple(rows[0]) == COLUMNS
    names = ["below/cmyk.jpg", "below/deeper/sixteen bit.PNG", "cat.jpg", "größe, klein.webp"]
    assert [row["file"] for row in rows] == [name for name in names for _ in range(3)]
    assert [row["rank"] for row in rows] == ["1", "2", "3"] * 4
    for name in names:
        shares = [float(row["probability"]) for row in rows if row["file"] == name]
        assert shares == sorted(shares, reverse=True)


def test_the_odd_cats_are_cats_and_the_cup_is_none(predicted):
    _, rows, _ = predicted
    best = {row["file"]: row for row in rows if row["rank"] == "1"}
    assert best.pop("größe, klein.webp")["name"] == "espresso"
    assert {int(row["index"]) for row in best.values()} <= set(range(281, 286))
    assert all(row["wnid"].startswith("n0212") for row in best.values())


def test_broken_files_are_told_one_by_one_and_left_out(predicted):
    report, _, _ = predicted
    said = [str(error) for error in report.broken]
    assert len(said) == 4
    for name, reason in {
        "cut.jpg": "cut short",
        "text.jpg": "not a picture",
        "empty.png": "is empty",
        "one.png": "too small",
    }.items():
        assert any(name in sentence and reason in sentence for sentence in said)


def test_nothing_but_the_table_is_left_beside_it(predicted):
    *_, file = predicted
    assert [path.name for path in file.parent.iterdir()] == ["answers.csv"]


def test_a_folder_without_pictures_is_a_sentence(tmp_path):
    with pytest.raises(K2CError, match="There is no picture in"):
        find_pictures(tmp_path)
    with pytest.raises(K2CError, match="does not exist"):
        find_pictures(tmp_path / "nowhere")
    (tmp_path / "file.jpg").touch()
    with pytest.raises(K2CError, match="is a file"):
        find_pictures(tmp_path / "file.jpg")


def test_where_nothing_can_be_read_an_old_table_stays(tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    old = tmp_path / "old.csv"
    old.write_text("kept")
    with pytest.raises(K2CError, match=r"No picture in .* can be read"):
        predict_folder(tmp_path, old)
    assert old.read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"text.jpg", "old.csv"}


def test_a_table_that_cannot_be_written_is_a_sentence(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(K2CError, match="cannot be written"):
        predict_folder(folder, tmp_path / "file" / "answers.csv")


def test_the_command_lists_what_it_left_out_and_says_so_in_its_status(folder, tmp_path, k2c):
    done = k2c("predict", str(folder), "--csv", "out.csv", "--top", "2")
    assert done.returncode == 1, done.stderr
    assert "4 pictures predicted, 4 left out" in done.stdout
    assert done.stderr.count("Left out:") == 4
    assert "Traceback" not in done.stderr
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 1 + 4 * 2
    (tmp_path / "empty").mkdir()
    none = k2c("predict", "empty", "--csv", "none.csv")
    assert none.returncode == 2 and "There is no picture in" in none.stderr
    assert not (tmp_path / "none.csv").exists()


@pytest.mark.realdata
def test_most_real_photographs_get_their_name(tmp_path):
    root = os.environ.get("K2C_REALDATA")
    if not root:
        pytest.skip("K2C_REALDATA is not set")
    photographs = Path(root, "imagenet")
    report = predict_folder(photographs, tmp_path / "out.csv", top=5)
    with (photographs / "labels.csv").open(encoding="utf-8") as file:
        truth = {row["file"]: row["wnid"] for row in csv.DictReader(file)}
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert report.predicted == len(truth) and not report.broken
    right = [row for row in rows if row["wnid"] == truth[row["file"]]]
    assert len([row for row in right if row["rank"] == "1"]) >= 0.84 * len(truth)
    assert len(right) >= 0.94 * len(truth)
