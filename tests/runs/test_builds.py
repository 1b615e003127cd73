"""The course as files for a student, with holes, and for an instructor, with the holes filled."""

import nbformat


def source_of(folder, name):
    notebook = nbformat.read(folder / "00_tiny.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == name)


def test_a_student_gets_holes_and_an_instructor_solutions(tiny_course, tmp_path, k2c):
    for kind in ("student", "solutions"):
        result = k2c("build", kind, str(tmp_path / kind))
        assert result.returncode == 0, result.stderr
        assert "1 notebook in" in result.stdout
    assert "..." in source_of(tmp_path / "student", "exercise")
    assert source_of(tmp_path / "solutions", "exercise") == "def add(a, b):\n    return a + b"
    for kind in ("student", "solutions"):
        notebook = nbformat.read(tmp_path / kind / "00_tiny.ipynb", as_version=4)
        assert not any(cell.get("outputs") for cell in notebook.cells)


def test_a_students_work_is_not_written_over(tiny_course, tmp_path, k2c):
    folder = tmp_path / "mine"
    assert k2c("build", "student", str(folder)).returncode == 0
    (folder / "00_tiny.ipynb").write_text("my work")
    refused = k2c("build", "student", str(folder))
    assert refused.returncode == 2
    assert "perhaps with somebody's work" in refused.stderr
    assert (folder / "00_tiny.ipynb").read_text() == "my work"
    assert k2c("build", "student", str(folder), "--replace").returncode == 0
    assert "..." in source_of(folder, "exercise")
