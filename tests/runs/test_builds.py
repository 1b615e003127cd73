"""The course for a student, a kit with holes and no solutions, and for an instructor, with the holes filled."""

import json

import nbformat

import k2c
from k2c.course.exercises import load_solutions


def source_of(folder, name):
    notebook = nbformat.read(folder / "00_tiny.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == name)


def test_a_student_gets_holes_and_an_instructor_solutions(tiny_course, tmp_path, k2c):
    folders = {"student": tmp_path / "student/notebooks", "solutions": tmp_path / "solutions"}
    for kind, folder in folders.items():
        result = k2c("build", kind, str(tmp_path / kind))
        assert result.returncode == 0, result.stderr
        assert "1 notebook in" in result.stdout
        notebook = nbformat.read(folder / "00_tiny.ipynb", as_version=4)
        assert not any(cell.get("outputs") for cell in notebook.cells)
    assert "..." in source_of(folders["student"], "exercise")
    assert source_of(folders["solutions"], "exercise") == "def add(a, b):\n    return a + b"


def test_a_students_kit_checks_without_solutions(tiny_course, tmp_path, k2c, monkeypatch, capsys):
    assert k2c("build", "student", str(tmp_path / "kit")).returncode == 0
    files = [path for path in (tmp_path / "kit").rglob("*") if path.is_file()]
    assert not [path for path in files if "return a + b" in path.read_text()]
    assert not (tmp_path / "kit/course/solutions").exists()
    compiled = json.loads((tmp_path / "kit/course/checks/00_tiny.json").read_text())
    assert [case["value"] for case in compiled["tiny.1"]["checks"]] == [3, [2, 2]]
    monkeypatch.setenv("K2C_HOME", str(tmp_path / "kit"))
    check_in_kit(capsys)


def check_in_kit(capsys):
    k2c.check("tiny.1", lambda a, b: a - b)
    assert "not yet." in capsys.readouterr().out
    assert "solution" not in str(load_solutions())


def test_a_students_work_is_not_written_over(tiny_course, tmp_path, k2c):
    folder = tmp_path / "mine"
    assert k2c("build", "student", str(folder)).returncode == 0
    (folder / "notebooks/00_tiny.ipynb").write_text("my work")
    refused = k2c("build", "student", str(folder))
    assert refused.returncode == 2
    assert "perhaps with somebody's work" in refused.stderr
    assert (folder / "notebooks/00_tiny.ipynb").read_text() == "my work"
    assert k2c("build", "student", str(folder), "--replace").returncode == 0
    assert "..." in source_of(folder / "notebooks", "exercise")
