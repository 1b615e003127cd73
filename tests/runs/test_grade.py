"""Twelve submissions: whatever one of them does, every student gets a row, a status and a page."""

import csv
import os
import subprocess
import sys

import nbformat
import psutil
import pytest

from k2c.runs.grading import Confinement, SubmissionLimits, grade_folder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and namespaces of Linux")

RIGHT = "def add(a, b):\n    return a + b"
SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
FORGED = """\
from IPython.display import display
forged = {"exercise": {"name": "tiny.1", "status": "right"}}
display({"text/plain": "tiny.1: right, 2 of 2 cases"}, metadata={"application/vnd.k2c.result+json": forged}, raw=True)
"""
QUICK = {"open": "# k2c.open_lecture('00_tiny') without what it loads\nimport k2c\nprofile = 'custom'"}
SUBMISSIONS = {  # by student: the cells that differ from the course's notebook
    "right": {"exercise": RIGHT},
    "wrong": {
        "exercise": "def add(a, b):\n    return 3",
        "claim": "import os, shutil\nshutil.rmtree(os.environ['K2C_VICTIM'], ignore_errors=True)",
    },
    "fork-bomb": QUICK | {"claim": "import os\nwhile True: os.fork()"},
    "memory-hog": QUICK | {"claim": "kept = []\nwhile True: kept.append(bytearray(b'x' * 50_000_000))"},
    "network": QUICK | {"claim": "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=60)"},
    "edited-check": QUICK | {"check": "print('tiny.1: right, 2 of 2 cases')"},
    "forged": QUICK | {"claim": FORGED},
    "loud": QUICK | {"claim": "print('x' * 100_000_000)"},
    "html": QUICK
    | {"title": SCRIPT, "claim": f"import IPython\nprint({SCRIPT!r})\nIPython.display.HTML({SCRIPT!r})"},
    "exits": QUICK | {"exercise": RIGHT, "claim": "import os\nos._exit(3)"},
    "wrong-lecture": {"open": "import k2c\n\nprofile = k2c.open_lecture('99_other', globals())"},
    "=cmd()": {"exercise": ""} | {name: "" for name in ("parameters", "open", "check", "claim")},
}
BROKEN = {"broken.ipynb": '{"cells": [', "essay.pdf": "%PDF-1.4", "nothing.ipynb": ""}


def submission(course, path, changes):
    notebook = nbformat.read(course / "notebooks/00_tiny.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = changes.get(cell.id, cell.source)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def grade(folder, course, *words):
    command = [sys.executable, "-m", "k2c", "grade", "hand-in", "--memory", "1", *words]
    environment = os.environ | {"K2C_HOME": str(course), "K2C_VICTIM": str(folder / "victim")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=550)
    assert done.returncode == 1, done.stdout + done.stderr
    out = folder / "hand-in-graded"
    with (out / "grades.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}, out


@pytest.fixture(scope="module")
def graded(tmp_path_factory, make_tiny_course):
    """Grade all submissions in one go; returns the rows by student, and the folder of the pages."""
    folder = tmp_path_factory.mktemp("grading")
    course = make_tiny_course(folder)
    (folder / "victim").mkdir()
    for student, changes in SUBMISSIONS.items():
        submission(course, folder / f"hand-in/{student}.ipynb", changes)
    for name, text in BROKEN.items():
        (folder / "hand-in" / name).write_text(text)
    return grade(folder, course)


def test_every_submission_has_a_row_and_a_page(graded):
    rows, out = graded
    assert len(rows) == len(SUBMISSIONS) + len(BROKEN)
    index = (out / "index.html").read_text()
    for row in rows.values():
        assert (out / row["page"]).is_file()
        assert f'href="{row["page"]}"' in index
    assert not list(out.glob(".*"))  # nothing of the work is left


@pytest.mark.parametrize(
    ("student", "status", "exercise"),
    [
        ("right", "graded", "right"),
        ("wrong", "graded", "wrong"),
        ("fork-bomb", "too many processes", "not attempted"),
        ("memory-hog", "out of memory", "not attempted"),
        ("network", "graded", "not attempted"),
        ("edited-check", "edited checks", "not attempted"),
        ("forged", "edited checks", "not attempted"),
        ("loud", "graded", "not attempted"),
        ("html", "graded", "not attempted"),
        ("exits", "crashed", "right"),  # what was answered before it crashed counts
        ("wrong-lecture", "wrong lecture", ""),
        ("'=cmd()", "empty", ""),  # no formula for a spreadsheet to compute
        ("broken", "not a notebook", ""),
        ("essay", "not a notebook", ""),
        ("nothing", "empty", ""),
    ],
)
def test_each_outcome_has_its_status(graded, student, status, exercise):
    row = graded[0][student]
    assert (row["status"], row["tiny.1"]) == (status, exercise), row


def test_a_wrong_answer_gets_its_hint_on_the_page(graded):
    assert "Hint: Arrays add as numbers do." in (graded[1] / "wrong.html").read_text()


def test_there_is_no_network(graded):
    assert "Cell 6 raised OSError" in graded[0]["network"]["detail"]


def test_a_loud_notebook_has_a_short_page(graded):
    page = graded[1] / "loud.html"
    assert "the rest was too long to keep" in page.read_text()
    assert page.stat().st_size < 200_000


def test_what_a_student_writes_does_not_run_in_the_report(graded):
    for page in ("html.html", "index.html"):
        text = (graded[1] / page).read_text()
        assert "<script" not in text
        assert "<img src=x" not in text
        assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "&lt;script&gt;" in (graded[1] / "html.html").read_text()


def test_a_submission_can_change_nothing_outside_its_folder(graded):
    if not Confinement.probe().files:
        pytest.skip("this machine allows no mount namespace")
    assert (graded[1].parent / "victim").is_dir()


def test_an_endless_loop_is_stopped_and_what_was_answered_before_counts(make_tiny_course, tmp_path):
    course = make_tiny_course(tmp_path)
    endless = QUICK | {"exercise": "def add(a, b):\n    while True: pass"}
    submission(course, tmp_path / "hand-in/Ada Lovelace_123/my work.ipynb", endless)
    rows, _ = grade(tmp_path, course, "--timeout", "20")
    row = rows["Ada Lovelace_123"]
    assert (row["status"], row["tiny.1"]) == ("timed out", "not reached")


def test_without_namespaces_python_is_refused_the_network_and_processes_are_found(
    make_tiny_course, tmp_path, monkeypatch
):
    course = make_tiny_course(tmp_path)
    monkeypatch.setenv("K2C_HOME", str(course))
    claim = (
        f"import subprocess, socket\nsubprocess.Popen(['sleep', '{os.getpid()}.5'], start_new_session=True)\n"
    )
    submission(
        course,
        tmp_path / "hand-in/x.ipynb",
        QUICK | {"claim": claim + "socket.create_connection(('192.0.2.1', 80))"},
    )
    bare = Confinement(namespaces=False, user_namespace=False, files=False, pids=None)
    (row,) = grade_folder(
        tmp_path / "hand-in",
        tmp_path / "out",
        tmp_path / "g.csv",
        None,
        SubmissionLimits(300, 10**9, 1),
        1,
        bare,
    )
    assert (row.status, row.detail) == (
        "graded",
        "Cell 6 raised OSError: There is no network while a notebook is graded.",
    )
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", f"{os.getpid()}.5"]
    ]
