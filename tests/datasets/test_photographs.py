"""Photographs that installed packages carry, and one's own."""

import numpy as np
import pytest
from PIL import Image

from k2c.datasets.photographs import (
    SAMPLES,
    label_in_name,
    labelled_photographs,
    own_photographs,
    sample_photograph,
)
from k2c.errors import K2CError
from k2c.models.imagenet import class_index


@pytest.fixture
def folder(tmp_path):
    for number in range(20):
        colour = np.full((20, 30, 3), 10 * number, np.uint8)
        Image.fromarray(colour).save(tmp_path / f"n02123045_{number:02}.png")
    Image.new("RGB", (30, 20)).save(tmp_path / "holiday.png")
    (tmp_path / "broken.jpg").write_text("no image")
    return tmp_path


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_there_without_a_network(name):
    image = sample_photograph(name)
    assert image.dtype == np.uint8 and image.ndim == 3 and min(image.shape[:2]) > 100


def test_the_names_of_the_samples_are_classes_of_imagenet():
    assert all(class_index(name) for sample in SAMPLES.values() for name in sample.names)
    with pytest.raises(K2CError, match="did you mean 'coffee'"):
        sample_photograph("cofee")


def test_own_photographs_are_a_file_or_what_can_be_read_of_a_folder(folder, capsys):
    assert list(own_photographs(folder / "holiday.png")) == ["holiday.png"]
    assert capsys.readouterr().out == "Read 1 image; left out none.\n"
    assert len(own_photographs(folder)) == 21
    assert capsys.readouterr().out == (
        "Read 21 images; left out 1, because: not an image in a format that can be read (broken.jpg).\n"
    )
    with pytest.raises(K2CError, match="missing"):
        own_photographs(folder / "nothing.jpg")
    (folder / "empty").mkdir()
    with pytest.raises(K2CError, match="no image"):
        own_photographs(folder / "empty")


def test_folders_below_are_read_and_what_is_more_than_the_limit_is_said(folder, capsys, monkeypatch):
    (folder / "below").mkdir()
    Image.new("RGB", (30, 20)).save(folder / "below" / "beach.jfif")
    assert "below/beach.jfif" in own_photographs(folder)
    capsys.readouterr()
    monkeypatch.setattr("k2c.datasets.photographs.AT_MOST", 5)
    assert len(own_photographs(folder)) == 4  # the fifth file is broken
    assert "not among the first 5 files" in capsys.readouterr().out


def test_labels_are_read_from_the_names_of_imagenets_files(folder, capsys):
    assert label_in_name("n02123045/n02123045_1234.JPEG") == "n02123045"
    assert label_in_name("n02123045_1234.JPEG") == "n02123045"
    assert label_in_name("n021230451.jpg") is None
    own = labelled_photographs(folder)
    assert len(own) == 20 and {one.names for one in own} == {("n02123045",)}
    said = capsys.readouterr().out
    assert "Read 20 labelled images; left out 2" in said
    assert "does not begin with a WordNet id, such as n02123045 (holiday.png)" in said


def test_too_few_labelled_photographs_of_ones_own_leave_the_samples(folder, capsys):
    (folder / "n02123045_00.png").unlink()
    samples = labelled_photographs(folder)
    assert "fewer than 20: the sample photographs are used instead" in capsys.readouterr().out
    assert [one.name for one in samples] == [name for name, sample in SAMPLES.items() if sample.names]
    assert [one.name for one in labelled_photographs()] == [one.name for one in samples]
