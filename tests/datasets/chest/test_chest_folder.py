"""Chest films from folders: as the NIH publishes them, and with a column a finding."""

import numpy as np
import pytest
from PIL import Image

from k2c.datasets.chest import FINDINGS, load_chest
from k2c.errors import K2CError

HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    '"OriginalImage[Width","Height]"\n'
)


def film(path, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 48), value, np.uint8)).save(path)


@pytest.fixture
def nih(tmp_path):
    """Five films of three patients in the layout of ChestX-ray14."""
    rows = [
        ("00000001_000.png", "Cardiomegaly|Emphysema", 1, "PA"),
        ("00000001_001.png", "No Finding", 1, "AP"),
        ("00000002_000.png", "Hernia", 2, "PA"),
        ("00000003_000.png", "Pleural_Thickening|Effusion", 3, "PA"),
        ("00000003_001.png", "No Finding", 3, "PA"),
    ]
    lines = [f"{name},{found},0,{patient},057Y,M,{view},2000,2000\n" for name, found, patient, view in rows]
    (tmp_path / "Data_Entry_2017.csv").write_text(HEADER + "".join(lines))
    for number, (name, *_) in enumerate(rows):
        film(tmp_path / f"images_00{number % 2 + 1}" / "images" / name, 50 * number)
    return tmp_path


def test_chestxray14_as_published(nih):
    (nih / "test_list.txt").write_text("00000003_000.png\n00000003_001.png\n")
    data = load_chest(nih)
    assert data.classes == FINDINGS and data.labels.shape == (5, 14)
    assert {name for name, count in data.counts().items() if count} == {
        "Cardiomegaly", "Emphysema", "Hernia", "Pleural_Thickening", "Effusion",
    }  # fmt: skip
    assert list(data.patients) == ["1", "1", "2", "3", "3"]
    assert list(data.table["split"]) == ["train"] * 3 + ["test"] * 2
    assert list(data.table["view"]) == ["PA", "AP", "PA", "PA", "PA"] and data.table["age"][0] == 57
    assert data.image(2).shape == (40, 48) and (data.image(2) == 100).all()
    assert len(data.filter(split="test")) == 2


def test_without_the_official_list_the_split_is_by_patient(tmp_path):
    lines = ["file,patient_id," + ",".join(FINDINGS) + "\n"]
    for number in range(24):
        film(tmp_path / "images" / f"{number}.png")
        lines.append(
            f"images/{number}.png,{number // 2}," + ",".join(["1" if number % 3 else ""] + ["0"] * 13) + "\n"
        )
    (tmp_path / "labels.csv").write_text("".join(lines))
    data = load_chest(tmp_path, test_fraction=0.25)
    split = data.table.groupby("patient")["split"].nunique()
    assert split.max() == 1 and 0 < (data.table["split"] == "test").sum() <= 8
    assert np.isnan(data.labels[0, 0]) and data.labels[1, 0] == 1


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "Data_Entry_2017.csv").unlink(), "no CSV file.* -p labels="),
        (
            lambda folder: next(folder.rglob("00000002_000.png")).unlink(),
            'missing="skip" .on the command line: -p missing=skip; in a batch file: missing: skip.',
        ),
        (
            lambda folder: (folder / "Data_Entry_2017.csv").write_text(
                HEADER + "00000001_000.png,Hernai,0,1,5,M,PA,,\n"
            ),
            "line 2.*Hernia",
        ),
        (
            lambda folder: (folder / "Data_Entry_2017.csv").write_text("file\n00000001_000.png\n"),
            "Finding Labels",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(nih, spoil, words):
    spoil(nih)
    with pytest.raises(K2CError, match=words):
        load_chest(nih)


def test_a_part_of_the_films_will_do(nih):
    next(nih.rglob("00000002_000.png")).unlink()
    assert len(load_chest(nih, missing="skip")) == 4


def test_an_unknown_source_or_option():
    with pytest.raises(K2CError, match="synthetic, chestmnist"):
        load_chest("nih")
    with pytest.raises(K2CError, match="did you mean 'label_noise'"):
        load_chest("synthetic", label_nose=0.1)
    with pytest.raises(
        K2CError, match=r"labels=.* names the CSV file of a folder, but the source is .synthetic."
    ):
        load_chest("synthetic", labels="labels.csv")
