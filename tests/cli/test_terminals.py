"""What commands print, in any terminal, with any name."""

import os
import subprocess
import sys

import pytest

NAMES = ["w [final]", "a [/b]", "ü✓", "new\x1b[31m"]
TERMINALS = [
    {},
    {"PYTHONIOENCODING": "cp1252"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"LC_ALL": "C"},
    {"COLUMNS": "20", "TERM": "dumb", "NO_COLOR": "1"},
]


@pytest.fixture
def raw(tmp_path):
    """Return a function that runs the command and returns its status and the bytes that it printed."""

    def run(*words, **environment):
        command = [sys.executable, "-m", "k2c", *words]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | environment, capture_output=True)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert b"\x1b" not in done.stdout + done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("terminal", TERMINALS, ids=lambda terminal: " ".join(terminal) or "plain")
@pytest.mark.parametrize(
    "words", [["list"], ["data", "list"], ["data", "path", "spam"], ["--help"]], ids=" ".join
)
def test_commands_print_in_any_terminal(raw, terminal, words):
    status, out, _ = raw(*words, **terminal)
    assert out
    assert status == 0


@pytest.mark.parametrize("terminal", TERMINALS[1:4], ids=lambda terminal: terminal["PYTHONIOENCODING"])
def test_doctor_has_marks_in_any_encoding(raw, terminal):
    status, out, _ = raw("doctor", **terminal)
    assert status == 0
    assert out.decode(terminal["PYTHONIOENCODING"]).splitlines()[0].split()[:2] == ["+", "Python"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("terminal", TERMINALS[:2], ids=["utf-8", "cp1252"])
def test_a_folder_is_named_as_it_was_given(raw, tiny_course, tmp_path, name, terminal):
    status, out, _ = raw("build", "student", name, **{"PYTHONIOENCODING": "utf-8"} | terminal)
    assert status == 0
    assert (tmp_path / name / "notebooks/00_tiny.ipynb").is_file()
    shown = name.replace("\x1b", "\\x1b").replace("✓", "+" if terminal else "✓")
    assert out.decode("cp1252" if terminal else "utf-8").strip() == f"1 notebook in {shown}"


@pytest.mark.parametrize("name", ["a [/b]", "[bold]ü✓ new\x1b[31m"])
@pytest.mark.parametrize(
    "words",
    [
        ["run", "{}"],
        ["run", "-p", "{}"],
        ["run", "--out", "{}/x/f", "--profile", "smoke"],
        ["grade", "{}"],
        ["grade", "{}/x", "--csv", "{}.csv"],
        ["batch", "{}.yml"],
        ["batch", "resume", "{}"],
        ["batch", "report", "{}"],
        ["batch", "compare", "{}", "{}"],
        ["data", "fetch", "{}"],
        ["predict", "{}", "--csv", "{}.csv"],
        ["slides", "{}"],
        ["train", "single", "{}"],
        ["train", "{}", "blobs"],
        ["bench", "{}"],
        ["{}"],
        ["--{}"],
    ],
    ids=" ".join,
)
def test_a_wrong_name_is_repeated_without_harm(raw, tiny_course, tmp_path, name, words):
    (tmp_path / name / "x").mkdir(parents=True)
    (tmp_path / name / "x/f").write_text("a file is here")
    status, out, err = raw(*(word.format(name) for word in words), PYTHONIOENCODING="cp1252")
    assert status in (1, 2)
    err.decode("cp1252")
    assert (out + err).strip()


def test_a_reader_that_goes_away_is_no_error(tmp_path):
    command = f"{sys.executable} -m k2c list | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split()[-1] in ("0", "141")  # it may have printed all before that


@pytest.mark.parametrize(("to", "status"), [(">&-", 0), (">/dev/full", 2)])
def test_output_that_goes_nowhere(tmp_path, to, status):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m k2c list {to}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == status
    assert done.stderr.count("\n") == (status > 0)
    if status:
        assert "the disk is full" in done.stderr
