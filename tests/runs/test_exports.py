"""What learning platforms export and what editors make of a notebook: each student is found, and the right notebook."""

import io
import json
import os
import zipfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from k2c.errors import K2CError
from k2c.runs.grading import read_export
from k2c.runs.grading.notebook_file import read_notebook
from k2c.runs.grading.submissions import find_submissions, read_helpers

OPEN = 'import k2c\n\nprofile = k2c.open_lecture("00_tiny", globals())'


def notebook(source=OPEN):
    return nbformat.writes(new_notebook(cells=[new_code_cell(source)])).encode()


def zipped(files, path=None):
    """Write a zip of files (by name, with the second they were written); returns its path, or its bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for second, (name, content) in enumerate(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 20, 12, 0, 2 * second)), content)
    if path is None:
        return buffer.getvalue()
    path.write_bytes(buffer.getvalue())
    return path


RECEIPT = "Name: Ada Lovelace (ada)\nAssignment: Lecture 1\nDate Submitted: Friday, 20 November 2026\n"
EXPORTS = {  # by platform: the files, and what is found: student, id, late, notebook
    "moodle": (
        {
            "Ada Lovelace_1001_assignsubmission_file_/work.ipynb": notebook(),
            "Ada Lovelace_1001_assignsubmission_onlinetext_/onlinetext.html": b"<p>see file</p>",
            "Zoë O'Hara_1002_assignsubmission_file/deep/er.ipynb": notebook(),
        },
        [("Ada Lovelace", "1001", None, "work.ipynb"), ("Zoë O'Hara", "1002", None, "deep/er.ipynb")],
    ),
    "canvas": (
        {
            "lovelaceada_501_9001_first.ipynb": notebook("print(1)"),
            "lovelaceada_501_9002_lecture.ipynb": notebook(),
            "oharazoe_LATE_502_9003_lecture-1.ipynb": notebook(),
        },
        [("lovelaceada", "501", False, "lecture.ipynb"), ("oharazoe", "502", True, "lecture-1.ipynb")],
    ),
    "blackboard": (
        {
            "Lecture 1_ada_attempt_2026-11-19-10-00-00_old.ipynb": notebook(),
            "Lecture 1_ada_attempt_2026-11-20-10-00-00_new.ipynb": notebook(),
            "Lecture 1_ada_attempt_2026-11-20-10-00-00.txt": RECEIPT.encode(),
        },
        [("Ada Lovelace", "ada", None, "new.ipynb")],
    ),
    "nbgrader": (
        {
            "submitted/ada/lecture1/work.ipynb": notebook(),
            "submitted/ada/lecture1/timestamp.txt": b"2026-11-20 22:15:01.123456 UTC",
        },
        [("ada", "ada", None, "work.ipynb")],
    ),
    "plain": (
        {
            "ada.ipynb": notebook(),
            "zoe/my work.ipynb": notebook(),
            "eve.zip": zipped({"a/b.ipynb": notebook()}),
        },
        [("ada", "", None, "ada.ipynb"), ("eve", "", None, "a/b.ipynb"), ("zoe", "", None, "my work.ipynb")],
    ),
}


def students(path, lecture="00_tiny"):
    _, found = find_submissions(read_export(path), lecture)
    return {one.student: one for one in found}


@pytest.mark.parametrize("platform", EXPORTS)
@pytest.mark.parametrize("unpacked", [False, True])
def test_an_export_is_read_as_it_comes(platform, unpacked, tmp_path):
    files, expected = EXPORTS[platform]
    path = zipped(files, tmp_path / "export.zip")
    if unpacked:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "export")
        path = tmp_path / "export"
    export = read_export(path)
    _, found = find_submissions(export, "00_tiny")
    assert export.platform == platform
    assert [(one.student, one.hand_in.id, one.hand_in.late, one.file) for one in found] == expected
    assert not [one.detail for one in found if one.refused]


def test_what_is_left_out_is_counted_with_the_reason(tmp_path):
    files = {
        "Ada_1_assignsubmission_file_/a.ipynb": notebook(),
        "Ada_1_assignsubmission_file_/.ipynb_checkpoints/a.ipynb": notebook(),
        "Ada_1_assignsubmission_file_/draft.ipynb": notebook("print(1)"),
        "Ada_1_assignsubmission_onlinetext_/onlinetext.html": b"",
        "__MACOSX/Ada_1_assignsubmission_file_/._a.ipynb": b"",
        "Grades.csv": b"",
        "../../outside.ipynb": notebook(),
    }
    export = read_export(zipped(files, tmp_path / "export.zip"))
    find_submissions(export, "00_tiny")
    assert export.files == len(files)
    assert export.left_out == {
        "hidden files and those of macOS": 2,
        "another notebook of the same student": 1,
        "receipts and texts that the platform adds": 1,
        "the platform's file name has no student in it": 1,
        "a path that leads out of its zip": 1,
    }


def test_a_zip_is_within_bounds_or_its_student_alone_is_refused(tmp_path):
    deep = zipped({"x.ipynb": notebook()})
    for _ in range(4):
        deep = zipped({"in.zip": deep})
    files = {"deep.zip": deep, "bomb.zip": zipped({"x.ipynb": b" " * 20_000_001}), "torn.zip": b"PK\3\4"}
    export = read_export(zipped(files | {"ada.ipynb": notebook()}, tmp_path / "export.zip"))
    _, found = find_submissions(export, "00_tiny")
    details = {one.student: one.detail for one in found}
    assert "20 MB" in details["bomb"]
    assert "a zip that is damaged, encrypted or in 3 other ones" in details["torn"]
    assert "a zip that is damaged, encrypted or in 3 other ones" in details["deep"]
    assert details["ada"] == ""


def test_of_two_notebooks_that_open_the_lecture_the_newest_counts(tmp_path):
    files = {"ada/v1.ipynb": notebook(), "ada/v2.ipynb": notebook(), "ada/other.ipynb": notebook("print(1)")}
    found = students(zipped(files, tmp_path / "e.zip"))["ada"]
    assert found.file == "ada/v2.ipynb".removeprefix("ada/")
    assert found.remarks == ["Of 2 notebooks that open the lecture, the newest was graded."]
    (tmp_path / "in/ada").mkdir(parents=True)
    for name in ("v1.ipynb", "v2.ipynb"):
        (tmp_path / "in/ada" / name).write_bytes(notebook())
        os.utime(tmp_path / "in/ada" / name, (1, 1))
    assert students(tmp_path / "in")["ada"].refused == "several notebooks"


def test_files_beside_the_notebook_come_with_it(tmp_path):
    files = {
        "canvasada_1_10_work.ipynb": notebook(),
        "canvasada_1_11_helper.py": b"x = 1",
        "canvasada_1_12_data.bin": b"x" * 5_000_001,
    }
    found = students(zipped(files, tmp_path / "e.zip"))["canvasada"]
    assert read_helpers(found) == {"helper.py": "eCA9IDE="}
    assert found.remarks == ["data.bin was not given to the notebook: it is damaged or too large."]


def test_an_empty_folder_and_a_file_that_is_no_zip_are_said(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(K2CError, match="nothing to grade"):
        read_export(tmp_path / "in")
    (tmp_path / "e.zip").write_bytes(b"no")
    with pytest.raises(K2CError, match="no zip that can be read"):
        read_export(tmp_path / "e.zip")


CELL = {
    "cell_type": "code",
    "id": "open",
    "source": OPEN,
    "metadata": {},
    "outputs": [],
    "execution_count": 1,
}
V4 = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [CELL]}
V3_CELL = {"cell_type": "code", "input": [OPEN], "language": "python", "outputs": []}
DAMAGED = {
    "a byte order mark": json.dumps(V4).encode("utf-8-sig"),
    "UTF-16": json.dumps(V4).encode("utf-16"),
    "Windows-1252": json.dumps(V4, ensure_ascii=False).replace("import k2c", "# Zoë\\nimport k2c").encode("cp1252"),
    "ids with an older minor version": json.dumps(V4 | {"nbformat_minor": 2}).encode(),
    "no metadata": json.dumps({"cells": [{"cell_type": "code", "source": [OPEN]}]}).encode(),
    "format 3": json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""},
                            "worksheets": [{"cells": [V3_CELL]}]}).encode(),
    "fields of an editor": json.dumps(V4 | {"cells": [CELL | {"vscode": {}, "attachments": 1}], "x": 1}).encode(),
    "the same id twice": json.dumps(V4 | {"cells": [CELL, CELL]}).encode(),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_editors_do_to_a_notebook_does_no_harm(damage):
    found = read_notebook(DAMAGED[damage])
    assert OPEN in found.cells[0].source
    assert (found.nbformat, found.cells[0].cell_type) == (4, "code")
    assert len({cell.id for cell in found.cells}) == len(found.cells)
