"""Features that people designed, as images: every sound has its line, every match its colour."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from k2c.display import made_features
from k2c.display.style import COLOURS


@pytest.fixture(autouse=True)
def kept(monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")


def test_sounds_of_one_vowel_have_one_colour():
    names = ["heed, 110 Hz", "heed, 200 Hz", "hod, 110 Hz"]
    made_features.show_vowels(np.zeros((3, 800)), np.zeros((3, 13)), names, rate=16_000, title="Vowels")
    lines = plt.gcf().axes[1].lines
    assert [line.get_label() for line in lines] == names
    assert [line.get_color() for line in lines] == [COLOURS["blue"], COLOURS["blue"], COLOURS["red"]]
    assert all(len(line.get_xdata()) == 12 for line in lines)  # without the first coefficient, the loudness


def test_right_matches_are_green_and_wrong_ones_red():
    image, points = np.zeros((20, 20)), np.array([[1, 2], [3, 4], [5, 6]])
    made_features.show_matches(image, image, (points, points), np.array([True, False, True]), title="Matches")
    colours = [line.get_edgecolor() for line in plt.gcf().artists or plt.gcf().get_children()[3:]]
    assert len(colours) == 3 and colours[0] == colours[2] != colours[1]
