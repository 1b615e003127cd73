"""Measured facts are tables of the course, each with the lines that say how it was made."""

import pytest

import k2c
from k2c.errors import K2CError


@pytest.fixture
def results(tiny_course):
    folder = tiny_course / "course/results"
    folder.mkdir()
    (folder / "speed.csv").write_text(
        "# python speed.py\n# 2026-11-29, numpy 2\nn,accuracy\n10,0.5\n20,0.75\n"
    )
    return folder


def test_a_table_comes_with_how_it_was_made(results):
    table = k2c.measured("speed")
    assert table.to_dict("list") == {"n": [10, 20], "accuracy": [0.5, 0.75]}
    assert table.attrs["made"] == "python speed.py\n2026-11-29, numpy 2"


def test_an_unknown_table_is_named_with_those_there_are(results):
    with pytest.raises(K2CError, match=r"no table of results 'sped'; did you mean 'speed'\?"):
        k2c.measured("sped")
