"""What a student has solved is kept in a folder of the student's own."""

import json
import subprocess
import sys

import pytest

import k2c
from k2c.course import progress


@pytest.fixture(autouse=True)
def folder(tiny_course, tmp_path, monkeypatch):
    monkeypatch.setenv("K2C_STUDENT", str(tmp_path / "mine"))
    return tmp_path / "mine"


def test_a_check_says_how_much_of_the_lecture_is_solved(capsys):
    k2c.check("tiny.1", ...)
    assert capsys.readouterr().out == "tiny.1: not attempted yet\n"
    k2c.check("tiny.1", lambda a, b: 3)
    assert capsys.readouterr().out.endswith("00_tiny: 0 of 1 exercises solved\n")
    k2c.check("tiny.1", lambda a, b: a + b)
    assert capsys.readouterr().out.endswith("00_tiny: 1 of 1 exercises solved\n")


def test_what_is_solved_outlives_the_process_and_stays_solved():
    code = "import k2c; k2c.check('tiny.1', lambda a, b: a + b)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert repr(progress()) == "A tiny lecture  ●  1 of 1 solved"
    k2c.check("tiny.1", lambda a, b: 0)  # tried again for fun
    assert 'value="1" max="1"' in progress()._repr_html_()


@pytest.mark.parametrize(
    "content",
    ["{broken", "[" * 100_000, "[1]",
     '{"tiny.1": 5}', '{"tiny.1": {"status": "\x1b", "tries": 1}}', '{"tiny.1": {"tries": {}}}'],
    ids=["cut", "deep", "a list", "a number", "another status", "another count"],
)  # fmt: skip
def test_a_damaged_or_forbidden_folder_stops_no_lecture(content, folder, capsys):
    folder.mkdir()
    (folder / "exercises.json").write_text(content)
    assert repr(progress()) == "A tiny lecture  ○  0 of 1 solved"
    k2c.check("tiny.1", lambda a, b: a + b)
    assert json.loads((folder / "exercises.json").read_text())["tiny.1"]["status"] == "right"


def test_a_folder_that_is_a_file_keeps_nothing_and_says_nothing(folder, capsys):
    folder.write_text("not a folder")
    k2c.check("tiny.1", lambda a, b: a + b)
    assert capsys.readouterr().out == "tiny.1: right, 2 of 2 cases\n"


def test_runs_that_are_no_students_work_keep_nothing(folder, monkeypatch):
    monkeypatch.setenv("K2C_STUDENT", "off")
    k2c.check("tiny.1", lambda a, b: a + b)
    assert not folder.exists()
