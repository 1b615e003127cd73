"""A class graded from Moodle's zip to what Moodle imports: points, lateness, hand-written points, and the class's page.

The notebooks are executed in this process instead of an engine; `test_grade.py` has the engines. `pytest -m large`
grades a class of 200 with the first lecture, as a teacher does.
"""

import csv
import json
import re
import shutil
import zipfile
from datetime import UTC, datetime

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook

from k2c.course.exercises import Verdict, answers_as_json
from k2c.errors import K2CError
from k2c.runs.grading import SubmissionLimits, Unconfined, grade_export, read_export
from k2c.runs.grading import grade as grade_module
from k2c.runs.grading.gradebook import Roster, write_gradebook
from k2c.runs.grading.needed import needed_cells
from k2c.runs.grading.rules import Manual, Rules, lateness, load_rules, score_of
from k2c.runs.grading.similarity import resemblances
from k2c.runs.grading.watch import Outcome
from k2c.runs.reports.grade import Grade, Lateness, Score

LIMITS = SubmissionLimits(seconds=60, memory=2 * 10**9, threads=1)
HIDDEN = {"draw": {"a": "rng.integers(10, 99)"}, "call": "answer(a, a)", "hint": "Other numbers add, too."}
RULES = {
    "seed": 3,
    "cases": "per student",
    "run": "exercises",
    "late": {"percent_per_day": 10, "at_most_percent": 25},
}


def read(file):
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened))


def run_here(job, limits, engine, stop):
    """Stand in for an engine: run the course's own made-up answers in this process."""
    run_here.times += 1
    names, outcome = {}, Outcome(end="done")
    for index, cell in enumerate(job["notebook"].cells):
        if cell.cell_type == "code" and "k2c" not in cell.source:
            exec(cell.source, names)
        for asked in job["checks"].get(str(index), ()):
            given = answers_as_json(asked["calls"], lambda name=asked["answer"]: names[name], asked["uses"])
            outcome.answers[asked["exercise"]] = json.loads(given)
    return outcome


@pytest.fixture(scope="module")
def course(tmp_path_factory, make_tiny_course):
    root = make_tiny_course(tmp_path_factory.mktemp("course"))
    file = root / "course/solutions/00_tiny.yml"
    entries = yaml.safe_load(file.read_text())
    entries["tiny.1"] |= {
        "points": 4,
        "hidden": [HIDDEN],
        "mistakes": [{"part": "a + b", "written": "a - b"}],
    }
    file.write_text(yaml.safe_dump(entries))
    (root / "course/grading.yml").write_text(yaml.safe_dump(RULES))
    return root


@pytest.fixture(scope="module")
def graded(tmp_path_factory, course, make_class):
    """Grade a class of twelve; returns the folder of the pages, and a function that grades it again."""
    folder = tmp_path_factory.mktemp("class")
    archive, worksheet = make_class(folder, course, "00_tiny", students=12, late=4, odd=10)
    run_here.times = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("K2C_HOME", str(course))
        patch.setattr(grade_module, "run_confined", run_here)

        def again():
            out = folder / "out"
            grade_export(
                read_export(archive), out, out / "grades.csv", None, LIMITS, 2, Unconfined(), worksheet
            )
            return out

        again()
        yield folder, again


def test_every_student_has_a_row_with_points_lateness_and_percentage(graded):
    rows = {row["id"]: row for row in read(graded[0] / "out/grades.csv")}
    assert len(rows) == 12 + 5
    assert [row["status"] for row in rows.values()].count("nothing handed in") == 5
    assert [row["late"] for row in rows.values()].count("yes") == 4
    assert {row["status"] for row in rows.values()} >= {"graded", "not a notebook", "empty"}
    for row in rows.values():
        right = row["tiny.1 verdict"] == "right"
        assert row["tiny.1"] == ("4" if right else "0")
        assert float(row["percent"]) in ((90, 80, 75) if row["late"] == "yes" else (100,)) if right else (0,)


def test_moodle_gets_its_own_worksheet_back_with_grades_and_comments(graded):
    before, after = read(graded[0] / "Grades.csv"), read(graded[0] / "out/moodle-worksheet.csv")
    assert list(before[0]) == list(after[0])
    graded_again = {row["Identifier"]: row for row in after}
    assert len(graded_again) == len(before)
    for row in before:
        same = graded_again[row["Identifier"]]
        assert {**same, "Grade": "", "Feedback comments": ""} == row
        assert re.fullmatch(r"\d+\.\d\d", same["Grade"])
    assert {"Email address"} < {*read(graded[0] / "out/moodle-gradebook.csv")[0]}


def test_feedback_lies_where_moodle_looks_for_it(graded):
    with zipfile.ZipFile(graded[0] / "out/feedback.zip") as archive:
        names = archive.namelist()
        page = archive.read(next(name for name in names if "_5000_" in name)).decode()
    assert len(names) == 12
    assert all(re.fullmatch(r"[^_]+_\d+_assignsubmission_file_/feedback\.html", name) for name in names)
    assert "index.html" not in page  # a student's page leads to nobody else


def test_the_classs_page_counts_and_names_no_verdict(graded):
    page = (graded[0] / "out/class.html").read_text()
    assert "17 students, 4 late" in page
    assert "Put both together." in page
    assert "and no verdict" in page
    assert "another notebook of the same student" in page


def test_what_has_not_changed_is_not_run_again_and_points_by_hand_count(graded):
    folder, again = graded
    times, manual = run_here.times, folder / "out/manual.csv"
    manual.write_text(
        "id;student;exercise;points;comment\n5000;;tiny.1;1,5;Half of it.\n5000;;;;Well written.\n"
    )
    out = again()
    row = next(row for row in read(out / "grades.csv") if row["id"] == "5000")
    assert run_here.times == times
    assert (row["tiny.1"], row["percent"]) == ("1.5", "37.5")
    assert row["comments"] == "tiny.1: Half of it. Well written."
    assert "Half of it." in (out / row["page"]).read_text()
    assert manual.read_text().startswith("id;student")
    manual.write_text("id,exercise,points\n5000,tiny.9,1\n")
    with pytest.raises(K2CError, match=r"manual\.csv, line 2: 'tiny\.9' is an exercise \(tiny\.1\) or empty"):
        again()


def test_canvas_imports_its_five_columns_and_the_assignments(tmp_path):
    table = (
        "Student,ID,SIS User ID,SIS Login ID,Section,Lecture 1 (77),Current Score\n"
        '    Points Possible,,,,,20,(read only)\n"Lovelace, Ada",501,u1,ada,A,,\n"Turing, Alan",502,u2,alan,A,,\n'
    )
    (tmp_path / "canvas.csv").write_text(table)
    roster = Roster.read(tmp_path / "canvas.csv")
    grades = [Grade("lovelaceada", "w.ipynb", "", id="501", score=Score(percent=75))]
    (written, _) = write_gradebook(grades, [], "canvas", roster, "Lecture 1 (77)", tmp_path)
    assert written.read_text().splitlines() == [
        "Student,ID,SIS User ID,SIS Login ID,Section,Lecture 1 (77)",
        "    Points Possible,,,,,20",
        '"Lovelace, Ada",501,u1,ada,A,15.00',
    ]


@pytest.mark.parametrize(
    ("flag", "when", "status", "expected"),
    [
        (None, None, "", Lateness(None, None, 0)),
        (True, None, "", Lateness(True, None, 10)),
        (None, None, "Submitted for grading", Lateness(False, None, 0)),
        (None, None, "Submitted for grading - 10 mins late", Lateness(False, 10 / 1440, 0)),
        (None, None, "Submitted for grading - 2 days 3 hours late", Lateness(True, 2.125, 30)),
        (None, None, "Submitted for grading - 40 days late", Lateness(True, 40, 50)),
        (None, datetime(2026, 11, 21, 11, 30, tzinfo=UTC), "", Lateness(True, 0.5, 10)),
        (None, datetime(2026, 11, 20, 23, 0), "", Lateness(False, -1 / 24 * 0.5, 0)),
    ],
)
def test_lateness_costs_what_the_rule_says(flag, when, status, expected):
    late = {"grace_minutes": 15, "percent_per_day": 10, "at_most_percent": 50}
    rules = Rules(late=late, due={"00_tiny": "2026-11-20 23:30+00:00"})
    found = lateness(rules, "00_tiny", flag, when, status)
    assert (found.late, found.percent) == (expected.late, expected.percent)
    assert found.days == pytest.approx(expected.days)


def test_points_are_weighed():
    entries = {"a": {"points": 2, "weight": 3}, "b": {"points": 4}}
    found = score_of({"a": Verdict("right"), "b": Verdict("wrong")}, entries, ("1", ""), Manual(), Lateness())
    assert (found.points, found.percent) == ({"a": 2, "b": 0}, 60)
    extra = Manual({("1", ""): (1.0, "")})
    assert score_of({}, entries, ("1", ""), extra, Lateness(True, 1, 50)).percent == 5


def test_a_rule_that_is_none_is_named(tiny_course):
    (tiny_course / "course/grading.yml").write_text(
        "late: {percent_per_day: 120}\ndue: {00_tiny: tomorrow}\n"
    )
    with pytest.raises(K2CError, match=r"late\.percent_per_day: .*due\.00_tiny"):
        load_rules()


def test_resemblance_is_in_rare_code_under_other_names():
    given = ["def add(a, b):\n    return ...", "def add(a, b):\n    return a + b"]
    own = "def f(x, y):\n    z = [q * {0} for q in range(x) if q % {0} != {0} - 1]\n    return sum(z[:{0}]) / {0}"
    copied = own.format(7).replace("z", "total").replace("q", "number") + "  # mine"
    code = {str(k): [given[1], own.format(100 + k) + f"\nprint({k}, {k * k}, [{k}] * 2)"] for k in range(30)}
    pairs = resemblances(code | {"ada": [own.format(7)], "bob": [copied], "eve": [given[1]]}, given)
    assert [(pair.first, pair.second) for pair in pairs] == [("ada", "bob")]


def test_cells_that_no_answer_reads_are_not_needed():
    sources = [
        "import numpy as np\nscale = 2",
        "noise = np.ones(3)",
        "table = {}",
        "table['x'] = scale",
        "def answer(a):\n    noise = a\n    return noise * table['x']",
        "np.show(table)",
        "%magic",
    ]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    assert needed_cells(notebook, {4}) == {0, 2, 3, 4, 6}
    assert needed_cells(notebook, set(), ["noise"]) == {0, 1, 6}


@pytest.mark.large
def test_a_class_of_two_hundred(make_class, tmp_path, k2c, request):
    if "large" not in request.config.getoption("markexpr"):
        pytest.skip("a class of 200: half an hour; only with -m large")
    root = request.config.rootpath
    archive, worksheet = make_class(tmp_path, root, "01_spam_naive_bayes", students=200, late=60, odd=10)
    shutil.copy(archive, tmp_path / "hand-in.zip")
    k2c("grade", "hand-in.zip", "--roster", str(worksheet), "--memory", "2", timeout=7200)
    rows = read(tmp_path / "hand-in-graded/grades.csv")
    assert [row["status"] for row in rows].count("graded") == 197
    assert [row["late"] for row in rows].count("yes") == 60
