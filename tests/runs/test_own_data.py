"""A run knows the user's own data by its content: what changed is another run, wherever the user stands."""

import json
import os
import shutil
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
import yaml

from k2c.course.syllabus import load_syllabus
from k2c.errors import K2CError
from k2c.runs.execution.own_data import fingerprint

READING = """\
from pathlib import Path
from k2c._system.load_report import LoadReport
report = LoadReport("messages")
for path in sorted(Path(source).rglob("*.txt")) if source != "here" else []:
    if path.read_text().startswith("?"):
        report.leave_out(path.name, "not a <message>")
    else:
        report.read += 1
report.note("They are short.")
report.announce()
report.announce()
k2c.record(letters=sum(len(path.read_text()) for path in Path(source).rglob("*.txt")))
"""


@pytest.fixture
def reading_course(tiny_course, edit_cell):
    """Let the tiny lecture read a folder of the user's own, with labels beside it or in it."""
    syllabus = tiny_course / "course/syllabus.yml"
    content = yaml.safe_load(syllabus.read_text())
    parameters = content["lectures"]["00_tiny"]["parameters"]
    parameters["source"]["path"] = True
    parameters["labels"] = {
        "type": "str", "default": "", "path": True, "inside": "source", "help": "labels",
    }  # fmt: skip
    syllabus.write_text(yaml.safe_dump(content, sort_keys=False))
    cells = nbformat.read(tiny_course / "notebooks/00_tiny.ipynb", as_version=4).cells
    edit_cell("parameters", cells[1].source + '\nlabels: str = ""  # labels')
    edit_cell("claim", READING)
    return tiny_course


@pytest.fixture
def mail(tmp_path):
    folder = tmp_path / "mail"
    (folder / "ham").mkdir(parents=True)
    (folder / "ham/a.txt").write_text("hello")
    (folder / "ham/b.txt").write_text("? \x1b[31m")
    return folder


def write_batch(tmp_path, text, name="trial.yml"):
    (tmp_path / name).write_text("lecture: 00\n" + textwrap.dedent(text))


def letters(folder):
    found = [
        json.loads(path.read_text())["recorded"]["letters"] for path in folder.glob("00_tiny-*/metrics.json")
    ]
    return sorted(found)


def change(folder):
    """Change a file's content, but neither its size nor its time."""
    path = folder / "ham/a.txt"
    before = path.stat()
    path.write_text("HELLO")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "alter",
    [
        change,
        lambda folder: (folder / "ham/a.txt").rename(folder / "ham/c.txt"),
        lambda folder: (folder / "ham/new.txt").write_text(""),
        lambda folder: (folder / "ham/b.txt").unlink(),
        lambda folder: (folder / "elsewhere").symlink_to("/"),
        lambda folder: (folder / "ham/b.txt").write_text(""),
        lambda folder: os.mkfifo(folder / "ham/pipe"),
    ],
    ids=["content", "name", "one more", "one less", "a link", "emptied", "a pipe"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="makes links and pipes")
def test_whatever_changes_in_a_folder_changes_what_it_is(mail, alter, monkeypatch, tmp_path):
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    before = fingerprint(mail)
    assert (before, before.files, before.size) == (fingerprint(mail), 2, 12)
    alter(mail)
    assert fingerprint(mail).sha256 != before.sha256
    copy = shutil.copytree(mail, tmp_path / "copy", symlinks=True, ignore=shutil.ignore_patterns("pipe"))
    (mail / "ham/pipe").unlink(missing_ok=True)
    assert fingerprint(copy).sha256 == fingerprint(mail).sha256  # by content, not by place or time


def test_a_file_that_stayed_is_not_read_again_and_one_that_changed_is(mail, monkeypatch, tmp_path):
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr("k2c.runs.execution.own_data._SETTLED_SECONDS", 0)
    before = fingerprint(mail)
    read = []
    monkeypatch.setattr("k2c.runs.execution.own_data._hash", lambda path: read.append(path.name) or "changed")
    assert (fingerprint(mail), read) == (before, [])
    change(mail)
    assert fingerprint(mail) != before
    assert read == ["a.txt"]
    for content in ("[1", "[" * 100_000, '{"ham/a.txt": 5, "spam/b.txt": null}', '{"ham/a.txt": [1]}', "[]"):
        (memory,) = (tmp_path / "cache/fingerprints").glob("*.json")
        memory.write_text(content)
        read.clear()
        assert fingerprint(mail) != before
        assert read == ["a.txt", "b.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="makes links and pipes")
def test_loops_end_pipes_are_not_opened_and_unreadable_files_count_by_name(mail, monkeypatch, tmp_path):
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    (mail / "ham/up").symlink_to("..")
    (mail / "ham/self").symlink_to("self")
    os.mkfifo(mail / "ham/pipe")
    (mail / "ham/gone").symlink_to("nowhere")
    (mail / os.fsdecode(b"caf\xe9.txt")).write_text("name in Latin 1")
    monkeypatch.setattr("k2c.runs.execution.own_data._hash", _refuse)
    found = fingerprint(mail)
    assert (found.files, found.unreadable) == (7, 3)
    (mail / "ham/b.txt").rename(mail / "ham/other.txt")
    assert fingerprint(mail).sha256 != found.sha256


def _refuse(path):
    raise PermissionError


def test_a_path_starts_where_the_user_stands(reading_course, mail, tmp_path, k2c):
    result = k2c("run", "-p", "source=mail", "--out", "out")
    assert result.returncode == 0, result.stdout + result.stderr
    (run,) = (tmp_path / "out").glob("00_tiny-*")
    facts = json.loads((run / "run.json").read_text())
    assert facts["parameters"]["source"] == str(mail)
    assert (facts["data"]["source"]["files"], facts["data"]["source"]["path"]) == (2, str(mail))
    at_home = k2c("run", "-p", "source=~/mail", "--out", "out2", env={"HOME": str(tmp_path)})
    assert at_home.returncode == 0, at_home.stderr
    assert [path.name for path in (tmp_path / "out2").glob("00_tiny-*")] == [run.name]


def test_what_was_read_and_left_out_is_on_the_screen_and_on_the_page(reading_course, mail, tmp_path, k2c):
    result = k2c("run", "-p", "source=mail", "--out", "out")
    assert "Read 1 message; left out 1, because: not a <message> (b.txt)." in result.stdout
    (run,) = (tmp_path / "out").glob("00_tiny-*")
    (load,) = json.loads((run / "metrics.json").read_text())["loads"]  # announced twice, and one thing
    assert load == {
        "what": "messages", "read": 1, "left_out": {"not a <message>": ["b.txt"]}, "notes": ["They are short."],
    }  # fmt: skip
    page = (tmp_path / "out/index.html").read_text()
    for shown in (
        "1 messages read, <strong>1 left out</strong>",
        "not a &lt;message&gt;",
        "<li>b.txt</li>",
        "2 files,",
    ):
        assert shown in page
    assert "They are short." in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            "source=mial",
            "no file or folder {here}/mial; did you mean 'mail'? In {here} there is: course-copy, mail",
        ),
        ("source=mail/spam/x", "In {here}/mail there is: ham. source may also be here or there."),
        ("source=~nobody-at-all/mail", "the home folder in it is not known"),
        ("labels=ham.csv", "labels is 'ham.csv', but there is no file or folder {here}/ham.csv"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_before_anything_starts(
    reading_course, mail, tmp_path, k2c, typed, said
):
    result = k2c("run", "-p", typed, "--out", "out")
    assert result.returncode == 2
    assert said.format(here=tmp_path) in result.stderr
    assert not (tmp_path / "out").exists()
    key, _, value = typed.partition("=")
    write_batch(tmp_path, f"fixed: {{{key}: '{value}'}}\n")
    result = k2c("batch", "trial.yml", "--out", "out")
    assert result.returncode == 2
    assert said.format(here=tmp_path) in result.stderr


def test_a_file_of_labels_is_found_in_the_folder_too(reading_course, mail, tmp_path):
    lecture = load_syllabus(reading_course / "course/syllabus.yml").lecture("00")
    values = lecture.settings() | {"source": "mail", "labels": "grades.csv"}
    (tmp_path / "grades.csv").write_text("where the user stands")
    assert lecture.locate(values, tmp_path)["labels"] == str(tmp_path / "grades.csv")
    (mail / "grades.csv").write_text("in the folder")  # which comes first, as it does for the loaders
    assert lecture.locate(values, tmp_path)["labels"] == str(mail / "grades.csv")
    assert lecture.locate(lecture.settings(), tmp_path) == lecture.settings()  # no path, nothing to find


def test_a_batch_repeated_after_files_changed_runs_again(reading_course, mail, tmp_path, k2c, monkeypatch):
    (tmp_path / "sub").mkdir()
    write_batch(tmp_path, "sweep: {grid: {source: [../mail, here]}}\n", "sub/trial.yml")
    first = k2c("batch", "sub/trial.yml", "--out", "out")
    assert first.returncode == 0, first.stdout + first.stderr
    assert letters(tmp_path / "out") == [0, 12]
    assert "In 1 run: Read 1 message; left out 1, because: not a <message> (b.txt)." in first.stdout
    assert first.stdout.count("In 1 run: ") == 2  # one line a report
    (mail / "ham/c.txt").write_text("more")
    again = k2c("batch", "sub/trial.yml", "--out", "out")
    assert again.returncode == 0, again.stdout + again.stderr
    assert letters(tmp_path / "out") == [0, 12, 16]
    assert "16" in (tmp_path / "out/results.csv").read_text()
    (mail / "ham/c.txt").write_text("some more")
    resumed = k2c("batch", "resume", "out")  # its copy of the file stands elsewhere
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert letters(tmp_path / "out") == [0, 12, 16, 21]
    page = (tmp_path / "out/index.html").read_text()
    assert "2 messages read" in page
    assert str(mail) in page


def test_files_that_change_while_they_are_read_fail_the_run(reading_course, mail, tmp_path, k2c, edit_cell):
    edit_cell("claim", READING + 'Path(source, "ham/late.txt").write_text("late")\n')
    result = k2c("run", "-p", "source=mail", "--out", "out")
    assert result.returncode == 1
    assert "no longer those that the run was planned with" in result.stdout


def test_results_may_lie_in_the_folder_that_is_read_but_not_be_it(reading_course, mail, k2c):
    for _ in range(2):
        result = k2c("run", "-p", "source=.", "--out", "runs/here")
        assert result.returncode == 0, result.stdout + result.stderr
    refused = k2c("run", "-p", "source=mail", "--out", "mail")
    assert refused.returncode == 2
    assert "Name another one for the results with --out" in refused.stderr


def test_a_folder_that_is_gone_is_a_sentence(tmp_path):
    with pytest.raises(K2CError, match=r"no file or folder .*gone any more"):
        fingerprint(Path(tmp_path / "gone"))
