"""Hostile text leaves the kit visible and harmless: on the terminal, in CSV files, on pages, in checks."""

import csv
import io
import json
import re
import string

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import example, given, settings
from nbformat.v4 import new_code_cell, new_output

from k2c._system.printable import plain, printable, spreadsheet_cell
from k2c.course.exercises import Answer, judge
from k2c.runs.reports.export import cells_to_html
from k2c.runs.reports.grade import Grade, _output
from k2c.runs.reports.pages import render

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp\u2028\0\x08\r\udcff</script><b>=1+1"
UNSEEN = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]"
)
HOSTILE = st.text(
    st.sampled_from(EVIL + "\t\n =+-@'\"<>&%{}\\" + string.ascii_letters) | st.characters(), max_size=40
)


def is_harmless(text):
    return not UNSEEN.search(text.replace("\n", "").replace("\t", "")) and bool(text.encode() or True)


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
@example(EVIL)
def test_text_for_a_terminal_is_harmless(text):
    for shown in (printable(text), printable(text, lines=True), plain(text), plain(text, lines=True)):
        assert is_harmless(shown)
    assert "\n" not in printable(text)
    assert printable(printable(text)) == printable(text)


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
@example(EVIL)
@example("\t=1")
@example(" -1")
def test_a_cell_of_a_csv_file_is_one_harmless_line_and_no_formula(text):
    file = io.StringIO()
    csv.writer(file).writerow([spreadsheet_cell(text), "next"])
    assert is_harmless(file.getvalue().replace("\r\n", ""))
    (row,) = csv.reader(io.StringIO(file.getvalue()))
    assert row[1] == "next"
    assert not row[0].lstrip().startswith(("=", "+", "-", "@"))


@settings(max_examples=50, deadline=None)
@given(HOSTILE)
@example(EVIL)
def test_a_page_shows_it_as_text(text):
    page = render("grade.html.j2", grade=Grade(text, text, "a.html", "graded", text), cells=[], lecture=text)
    assert is_harmless(page)
    head = page.split("</title>")[0].split("<title>")[1]
    assert "<" not in head
    student = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)[1]
    assert "<" not in student


@settings(max_examples=50, deadline=None)
@given(HOSTILE)
@example(EVIL)
def test_outputs_of_a_notebook_are_harmless_on_its_page(text):
    stream = new_output("stream", name="stdout", text=text.encode(errors="replace").decode())
    error = new_output("error", ename="E", evalue="v", traceback=[stream.text])
    assert is_harmless(cells_to_html([new_code_cell("1", outputs=[stream, error])]))
    assert is_harmless(_output(stream)["text"] + _output(error)["text"])


@settings(max_examples=100, deadline=None)
@given(HOSTILE)
@example(EVIL)
def test_what_a_check_says_of_an_answer_is_harmless(text):
    cases = [{"call": "answer(1)", "expect": "1", "hint": "Count."}]
    for answer in (Answer(text, text), Answer("answer(1)", error=text or "E"), Answer("answer(1)", [text])):
        complaint = judge(cases, [answer]).complaint
        assert is_harmless(complaint)
        assert "\n" not in complaint
        assert len(complaint) < 2500


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07x", "x"),
        ("\x1b(B\x1b=\x1bPq\x1b\\y", "y"),
        ("10%\r100%", "10%\n100%"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("lone \x1b", r"lone \x1b"),
        ("größe 図", "größe 図"),
    ],
)
def test_what_a_program_printed_loses_its_commands_to_the_terminal(text, shown):
    assert plain(text, lines=True) == shown


def test_results_of_runs_are_harmless_in_the_tables_of_a_batch(tmp_path):
    from k2c._system.sealed import seal_json
    from k2c.runs.reports.batch import write_batch_report

    run = {
        "id": "tiny-1",
        "parameters": {"rate": 1, "seed": 0},
        "varied": {"seed": 0},
        "seed": 0,
        "profile": "smoke",
    }
    plan = {"name": EVIL, "lecture": "00", "title": EVIL, "profile": "smoke", "repeat": "seed", "runs": [run]}
    plan["sweep"] = {"kind": "none", "parameters": []}
    (tmp_path / "plan.json").write_text(json.dumps(seal_json(plan)))
    (tmp_path / "tiny-1").mkdir()
    facts = {
        "status": "ok",
        "seconds": 1.0,
        "cause": EVIL,
        "error": EVIL,
        "machine": {EVIL: EVIL},
        "versions": {},
    }
    (tmp_path / "tiny-1/run.json").write_text(json.dumps(seal_json(facts)))
    recorded = {"recorded": {EVIL: 1.0, "=formula": "=1+1", "said": EVIL}, "guards": []}
    (tmp_path / "tiny-1/metrics.json").write_text(json.dumps(seal_json(recorded)))
    page = write_batch_report(tmp_path).read_text().split("<script>/**")[0].split("<script>\n")[0]
    assert is_harmless(page)
    assert r"\u202egnp" in page
    table = (tmp_path / "results.csv").read_text()
    assert is_harmless(table)
    read = pd.read_csv(tmp_path / "results.csv")
    assert read["'=formula"].tolist() == ["'=1+1"]
