"""Runs and the exercise log carry a checksum: no damage is read as a value."""

import json
import random

import pytest

import k2c
from k2c._system.plain_file import UnreadableError
from k2c._system.sealed import read_sealed_json, seal_json
from k2c.course.exercise_log import outcomes

CONTENT = {
    "status": "ok",
    "recorded": {"loss": -0.19, "name": "Zürich \udc80"},
    "rows": (1, 2.0, None),
    "7": [],
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(seal_json(CONTENT), indent=1) + "\n")
    return path


def flips(content, number):
    """Yield copies of the content, each with another bit changed."""
    for place in random.Random(0).sample(range(8 * len(content)), min(number, 8 * len(content))):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        yield bytes(damaged)


def read_or_none(path):
    try:
        return read_sealed_json(path)
    except UnreadableError as error:
        assert str(path) in str(error)
        return None


def test_a_sealed_file_is_plain_json_and_reads_as_it_was_written(file):
    assert json.loads(file.read_text())["recorded"]["loss"] == -0.19
    assert read_sealed_json(file) == CONTENT | {"rows": [1, 2.0, None]}


def test_no_flipped_bit_changes_a_value(file):
    expected = read_sealed_json(file)
    content = file.read_bytes()
    for damaged in flips(content, 8 * len(content)):
        file.write_bytes(damaged)
        assert read_or_none(file) in (None, expected)


def test_no_flipped_bit_changes_a_run(tiny_course, tmp_path, k2c):
    assert k2c("run", "00", "--out", "out").returncode == 0
    for name in ("run.json", "metrics.json"):
        (path,) = (tmp_path / "out").glob(f"*/{name}")
        content, expected = path.read_bytes(), read_sealed_json(path)
        assert "sha256" in json.loads(content)
        for damaged in flips(content, 300):
            path.write_bytes(damaged)
            assert read_or_none(path) in (None, expected)


def test_a_damaged_exercise_log_is_set_aside_with_a_sentence(tiny_course, tmp_path, monkeypatch):
    monkeypatch.setenv("K2C_STUDENT", str(tmp_path / "mine"))
    k2c.check("tiny.1", lambda a, b: a + b)
    log = tmp_path / "mine/exercises.json"
    damaged = log.read_text().replace('"right"', '"wrong"')
    log.write_text(damaged)
    with pytest.warns(UserWarning, match=r"exercises\.json is damaged.* kept as exercises\.damaged\.json"):
        assert outcomes() == {}
    assert log.with_name("exercises.damaged.json").read_text() == damaged
    k2c.check("tiny.1", lambda a, b: a + b)
    assert outcomes()["tiny.1"]["status"] == "right"
