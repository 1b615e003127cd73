"""`k2c predict`: a folder as people have them, and the table that comes out."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, features

from k2c._system.load_report import LoadReport
from k2c.datasets.photographs import sample_photograph
from k2c.errors import K2CError
from k2c.models import OwnClassifier, backbone
from k2c.models.prediction import COLUMNS, find_files, predict_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with four good images, some of them odd, and files that are none."""
    folder = tmp_path_factory.mktemp("images")
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
    (folder / "text.jpg").write_text("no image")
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


def test_every_good_image_has_its_rows_in_order(predicted):
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


def test_every_other_file_is_named_with_its_reason(predicted):
    report, _, _ = predicted
    assert report.load.left_out == {
        "hidden": [".hidden/"],
        "empty": ["empty.png"],
        "cut short or damaged": ["cut.jpg"],
        "not an image in a format that can be read": ["notes.txt", "text.jpg"],
        "too small": ["one.png"],
    }
    # Where an image was expected by the name; notes and hidden files are no such loss.
    assert sorted(report.broken) == ["cut.jpg", "empty.png", "one.png", "text.jpg"]


FORMATS = ("jfif", "jpe", "jp2", "avif", "webp", "tga")


def test_formats_are_told_by_content_not_by_a_list_of_endings(tmp_path):
    """What people's folders have, of which JPEG and PNG alone were once predicted and the rest passed over."""
    cat = Image.fromarray(sample_photograph("cat"))
    folder = tmp_path / "photographs"
    folder.mkdir()
    for ending in FORMATS:
        if ending != "avif" or features.check("avif"):
            cat.save(folder / f"cat.{ending}")
    cat.save(folder / "no ending", "JPEG")
    cat.save(folder / "-2+3.jpg")
    (folder / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 100)
    (folder / "scan.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 100)
    (folder / "IMG_0002.NEF").write_bytes(b"II*\0" + b"\0" * 100)
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 100)
    report = predict_folder(folder, folder / "answers.csv")
    assert report.predicted == len(FORMATS) + 2 - (not features.check("avif"))
    left_out = {name: reason for reason, names in report.load.left_out.items() for name in names}
    assert left_out.keys() == {"IMG_0001.HEIC", "scan.dcm", "IMG_0002.NEF", "Thumbs.db", "clip.mp4"}
    assert "-m pip install pillow-heif" in left_out["IMG_0001.HEIC"]
    assert "k2c run 06 -p source=FOLDER" in left_out["scan.dcm"]
    assert sorted(report.broken) == ["IMG_0001.HEIC", "IMG_0002.NEF", "scan.dcm"]
    with (folder / "answers.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0]["file"] == "'-2+3.jpg"  # no formula for a spreadsheet to compute
    again = predict_folder(folder, folder / "answers.csv")
    assert again.load.left_out == report.load.left_out  # the table is none of the images


def test_a_12_bit_film_of_a_hospital_is_answered_as_its_8_bit_copy(tmp_path, k2c):
    pydicom = pytest.importorskip("pydicom")
    films = tmp_path / "films"
    films.mkdir()
    levels = np.linspace(0, 4095, 300 * 240).reshape(300, 240)
    Image.fromarray(np.round(levels / 4095 * 255).astype(np.uint8)).save(films / "film.png")
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    film = pydicom.FileDataset(str(films / "film.dcm"), {}, file_meta=meta, preamble=b"\0" * 128)
    film.Rows, film.Columns = levels.shape
    film.SamplesPerPixel, film.PhotometricInterpretation, film.PixelRepresentation = 1, "MONOCHROME2", 0
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
    film.PixelData = levels.astype(np.uint16).tobytes()
    film.save_as(films / "film.dcm", enforce_file_format=True)
    network = backbone()
    weight = torch.randn(3, network.n_features, generator=torch.Generator().manual_seed(0)) / 10
    findings = ["Mass", "Edema", "Hernia"]
    OwnClassifier(network, findings, weight, torch.zeros(3), multi_label=True, kind="film").save(
        tmp_path / "own.pt"
    )
    done = k2c("predict", "films", "--model", "own.pt", "--csv", "out.csv")
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    answers = {(row["file"], row["name"]): float(row["probability"]) for row in rows}
    assert len(answers) == 6
    for name in findings:
        assert answers["film.dcm", name] == pytest.approx(answers["film.png", name], abs=0.01)
    assert max(answers.values()) - min(answers.values()) > 0.1


def test_pipes_bombs_and_links_that_lead_out_are_left_out(tmp_path):
    folder, elsewhere = tmp_path / "photographs", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    cat = Image.fromarray(sample_photograph("cat"))
    cat.save(folder / "cat.jpg")
    cat.save(elsewhere / "cat.jpg")
    Image.new("1", (30_000, 20_000)).save(folder / "bomb.png")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "file.jpg").symlink_to(elsewhere / "cat.jpg")
    (folder / "folder").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    (folder / "itself.jpg").symlink_to("itself.jpg")
    report = predict_folder(folder, tmp_path / "out.csv")
    assert report.predicted == 1
    left_out = {name: reason for reason, names in report.load.left_out.items() for name in names}
    assert left_out.pop("itself.jpg")
    assert left_out == {
        "bomb.png": "has too many pixels to be decoded safely",
        "pipe.jpg": "not an ordinary file",
        "device.jpg": "a link that leads out of the folder",
        "file.jpg": "a link that leads out of the folder",
        "folder/": "a link that leads out of the folder",
        "loop/": "a link to a folder in the same folder",
    }


def test_nothing_but_the_table_is_left_beside_it(predicted):
    *_, file = predicted
    assert [path.name for path in file.parent.iterdir()] == ["answers.csv"]


def test_a_folder_without_images_is_a_sentence(tmp_path):
    for name, said in {
        ".": "There is no image in",
        "nowhere": "does not exist",
        "file.jpg": "is a file",
    }.items():
        (tmp_path / "file.jpg").unlink(missing_ok=True)
        if name == "file.jpg":
            (tmp_path / name).touch()
        with pytest.raises(K2CError, match=said):
            find_files(tmp_path / name, LoadReport("images"))


def test_where_nothing_can_be_read_an_old_table_stays(tmp_path):
    (tmp_path / "text.jpg").write_text("no image")
    old = tmp_path / "old.csv"
    old.write_text("kept")
    with pytest.raises(
        K2CError, match=r"There is no image in .* that can be read. Read 0 images; left out 1"
    ):
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
    assert "4 images predicted, 6 left out" in done.stdout
    assert done.stderr.count("Left out:") == 6
    assert "Left out: cut.jpg: cut short or damaged\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 1 + 4 * 2
    (tmp_path / "empty").mkdir()
    none = k2c("predict", "empty", "--csv", "none.csv")
    assert none.returncode == 2 and "There is no image in" in none.stderr
    assert not (tmp_path / "none.csv").exists()


def test_names_cannot_move_the_terminals_cursor_nor_compute(tmp_path, k2c):
    (tmp_path / "mine").mkdir()
    cat = Image.fromarray(sample_photograph("cat"))
    cat.save(tmp_path / "mine" / "=cmd()\x1b[2J.jpg")
    (tmp_path / "mine" / "[red]\x1b]0;owned\x07.txt").write_text("x")
    done = k2c("predict", "mine", "--csv", "out.csv")
    assert done.returncode == 0, done.stderr  # a text is no image that could not be read
    assert (
        "\x1b]0" not in done.stderr and "Left out: [red]\\x1b]0;owned\\x07.txt: not an image" in done.stderr
    )
    assert "'=cmd()\\x1b[2J.jpg," in (tmp_path / "out.csv").read_text(encoding="utf-8")


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
