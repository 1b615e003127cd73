"""A class with hostile submissions: whatever one of them does, every student gets a row, a status and a page."""

import csv
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell

from k2c.runs.grading.bubblewrap import Bubblewrap

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces of Linux")

RIGHT = "def add(a, b):\n    return a + b"
SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
FORGED = """\
from IPython.display import display
forged = {"exercise": {"name": "tiny.1", "status": "right"}}
display({"text/plain": "tiny.1: right, 2 of 2 cases"}, metadata={"application/vnd.k2c.result+json": forged}, raw=True)
"""
# A child that outlives its cell, and writes what a right answer reports into whatever it can open.
REWRITES = """\
import os
for name in ("executed.ipynb", "progress.jsonl", "../executed.ipynb"):
    os.mkfifo(name)
if os.fork() == 0:
    os.setsid()
    line = b'{"exercise": "tiny.1", "answers": [{"shown": "", "value": 3}, {"shown": "", "value": [2, 2]}]}\\n'
    while True:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                files = [f"/proc/{pid}/fd/{number}" for number in os.listdir(f"/proc/{pid}/fd")]
            except OSError:
                continue
            for file in files:
                try:
                    os.write(os.open(file, os.O_WRONLY | os.O_NONBLOCK), line)
                except OSError:
                    pass
"""
# What asks for the answers is exchanged for what gives an answer of its own.
EXCHANGED = """\
import json, sys, types, k2c.course.exercises as real
from IPython.display import display
def print_answers(calls, ask, uses=()):
    given = [{"shown": call, "value": True} for call in calls]
    display({real.ANSWERS_MIME: json.dumps(given), "text/plain": ""}, raw=True)
real.print_answers = print_answers
sys.modules["k2c.course.exercises"] = types.SimpleNamespace(print_answers=print_answers)
def add(a, b):
    return 3"""
DEEP = """\
def add(a, b):
    inside = []
    for _ in range(900):
        inside = [inside]
    return inside"""
QUICK = {"open": "# k2c.open_lecture('00_tiny') without what it loads\nimport k2c\nprofile = 'custom'"}
SUBMISSIONS = {  # by student: the cells that differ from the course's notebook
    "right": {"exercise": RIGHT},
    "wrong": {"exercise": "def add(a, b):\n    return 3"},
    "fork-bomb": QUICK | {"claim": "import os\nwhile True: os.fork()"},
    "memory-hog": QUICK | {"claim": "kept = []\nwhile True: kept.append(bytearray(b'x' * 50_000_000))"},
    "network": QUICK | {"claim": "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=60)"},
    "edited-check": QUICK | {"check": "print('tiny.1: right, 2 of 2 cases')"},
    "forged": QUICK | {"claim": FORGED},
    "rewrites": QUICK | {"claim": REWRITES},
    "exchanged": QUICK | {"exercise": EXCHANGED},
    "deep": QUICK | {"exercise": DEEP},
    "loud": QUICK | {"claim": "print('x' * 100_000_000)"},
    "html": QUICK
    | {"title": SCRIPT, "claim": f"import IPython\nprint({SCRIPT!r})\nIPython.display.HTML({SCRIPT!r})"},
    "exits": QUICK | {"exercise": RIGHT, "claim": "import os\nos._exit(3)"},
    "wrong-lecture": {"open": "import k2c\n\nprofile = k2c.open_lecture('99_other', globals())"},
    "=cmd()": {"exercise": ""} | {name: "" for name in ("parameters", "open", "check", "claim")},
    "zz-last": QUICK | {"exercise": RIGHT},
}
BROKEN = {"broken.ipynb": '{"cells": [', "essay.pdf": "%PDF-1.4", "nothing.ipynb": ""}
# Cells of one more submission. Each prints what it got hold of: nothing, if it is kept in.
ATTACKS = {
    "remount": "os.system('mount -o remount,bind,rw / ; mount -o remount,rw /usr')\n"
    "os.system('touch /usr/k2c-was-here /k2c-was-here')\n"
    "got = [path for path in ('/usr/k2c-was-here', '/k2c-was-here') if os.path.exists(path)]",
    "namespaces": "got = [flag for flag in (0x10000000, 0x20000, 0x40000000) if libc.unshare(flag) == 0]",
    "delete": "shutil.rmtree(HOST['victim'], ignore_errors=True); got = []",
    "host files": "got = [path for path in HOST['files'] if os.path.exists(path)]",
    "host sockets": """\
got = []
for address in HOST['sockets']:
    try:
        socket.socket(socket.AF_UNIX).connect(address)
        got.append(address)
    except OSError:
        pass""",
    "memfd_create": "got = [fd for fd in [libc.memfd_create(b'hidden', 0)] if fd >= 0]",
    "shmget": "got = [key for key in [libc.shmget(HOST['key'], 1 << 20, 0o1666)] if key >= 0]",
    "posix_fallocate": """\
kept = 0
for folder in ('.', '/dev/shm'):
    for number in range(4):
        fd = os.open(f'{folder}/{number}', os.O_CREAT | os.O_RDWR)
        for size in (1 << 30, 100 << 20, 10 << 20):
            try:
                os.posix_fallocate(fd, 0, size)
                kept += size
                break
            except OSError:
                pass
for path in glob.glob('[0-9]') + glob.glob('/dev/shm/[0-9]'):
    os.remove(path)
got = [kept] if kept > 2 * HOST['bytes'] else []""",
    "environment": """\
said = ' '.join(os.environ.values())
for file in glob.glob('/proc/[0-9]*/environ'):
    try:
        said += open(file, errors='replace').read()
    except OSError:
        pass
got = ['secret'] if HOST['secret'][::-1] in said else []""",
    "capabilities": """\
status = open('/proc/self/status').read()
got = [line for line in status.splitlines() if line.startswith('Cap') and 'CapBnd' not in line
       and int(line.split()[1], 16)] + [os.getuid()] * (os.getuid() == 0)
got += [] if 'NoNewPrivs:\\t1' in status else ['new privileges']""",
    "kernel settings": "got = [f for f in ('core_pattern', 'modprobe') if os.access(f'/proc/sys/kernel/{f}', os.W_OK)]",
    "left behind": "got = []\nsubprocess.Popen(['sleep', HOST['sleep']], start_new_session=True)",
}  # fmt: skip
HELPERS = "import ctypes, glob, os, shutil, socket, subprocess\nlibc = ctypes.CDLL(None)\nHOST = "
KEY = 0x6B32
SECRET = "hunter2-of-the-grader"
SLEEP = f"{100_000 + os.getpid()}.25"


def submission(course, path, changes, more=()):
    notebook = nbformat.read(course / "notebooks/00_tiny.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = changes.get(cell.id, cell.source)
    notebook.cells += more
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def grade(folder, course, *words):
    """Grade the folder `hand-in` as a user does; returns the rows by student, the pages, and the grader's memory."""
    command = [sys.executable, "-m", "k2c", "grade", "hand-in", "--memory", "1", *words]
    environment = os.environ | {"K2C_HOME": str(course), "K2C_PASSWORD": SECRET, "CUDA_TOKEN": SECRET}
    peak = 0
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            peak = max(
                [peak, *(int(line.split()[1]) for line in lines_of(status) if line.startswith("VmHWM"))]
            )
            time.sleep(0.1)
        log.seek(0)
        assert process.returncode == 1, log.read()
    out = folder / "hand-in-graded"
    with (out / "grades.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}, out, peak * 1024


def lines_of(file):
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def commands():
    return [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]


def left_on(folder):
    """Return what of the submissions is still on this machine: mounts, and shared memory of both kinds."""
    mounts = [line for line in lines_of(Path("/proc/self/mounts")) if str(folder) in line]
    shared = [line for line in lines_of(Path("/proc/sysvipc/shm")) if str(KEY) in line]
    return mounts + shared + [path.name for path in Path("/dev/shm").glob("[0-3]")]


@pytest.fixture(scope="module", autouse=True)
def engine():
    if problem := Bubblewrap().problem():
        pytest.skip(f"bubblewrap: {problem}")


@pytest.fixture(scope="module")
def graded(tmp_path_factory, make_tiny_course, engine):
    """Grade all submissions in one go; returns the rows by student, the pages, the grader's memory, and the folder."""
    folder = tmp_path_factory.mktemp("grading")
    course = make_tiny_course(folder)
    (folder / "victim").mkdir()
    for student, changes in SUBMISSIONS.items():
        submission(course, folder / f"hand-in/{student}.ipynb", changes)
    for name, text in BROKEN.items():
        (folder / "hand-in" / name).write_text(text)
    os.mkfifo(folder / "hand-in/pipe.ipynb")
    (folder / "hand-in/link.ipynb").symlink_to("/etc/passwd")
    abstract = f"\0k2c-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as unnamed:
        for listener, address in ((named, str(folder / "socket")), (unnamed, abstract)):
            listener.bind(address)
            listener.listen()
        known = {
            "victim": str(folder / "victim"), "sockets": [str(folder / "socket"), abstract], "key": KEY,
            "files": ["/etc/shadow", "/etc/ssh", "/root/.ssh", "/var/lib", str(folder / "hand-in/right.ipynb"),
                      str(folder / "victim"), str(course / "course/solutions"), str(Path(__file__))],
            "bytes": 250_000_000, "secret": SECRET[::-1], "sleep": SLEEP,
        }  # fmt: skip
        attacks = [
            new_code_cell(f"{code}\nprint('{name}:', got or 'kept in')") for name, code in ATTACKS.items()
        ]
        changes = QUICK | {"exercise": RIGHT, "claim": f"{HELPERS}{known!r}"}
        submission(course, folder / "hand-in/attacks.ipynb", changes, attacks)
        found = grade(folder, course)
    return *found, folder


def test_every_submission_has_a_row_and_a_page(graded):
    rows, out, *_ = graded
    assert len(rows) == len(SUBMISSIONS) + len(BROKEN) + 3
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
        ("rewrites", "graded", "not attempted"),
        ("exchanged", "graded", "wrong"),
        ("deep", "graded", "wrong"),
        ("loud", "graded", "not attempted"),
        ("html", "graded", "not attempted"),
        ("attacks", "graded", "right"),
        ("exits", "crashed", "right"),  # what was answered before it crashed counts
        ("wrong-lecture", "wrong lecture", ""),
        ("'=cmd()", "empty", ""),  # no formula for a spreadsheet to compute
        ("broken", "not a notebook", ""),
        ("essay", "not a notebook", ""),
        ("nothing", "empty", ""),
        ("pipe", "not a notebook", ""),
        ("link", "not a notebook", ""),
        ("zz-last", "graded", "right"),
    ],
)
def test_each_outcome_has_its_status(graded, student, status, exercise):
    row = graded[0][student]
    assert (row["status"], row["tiny.1 verdict"]) == (status, exercise), row


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_gets_nothing(graded, attack):
    assert f">{attack}: kept in\n<" in (graded[1] / "attacks.html").read_text()


def test_nothing_of_a_submission_outlives_it(graded):
    assert left_on(graded[3]) == []
    assert (graded[3] / "victim").is_dir()
    assert ["sleep", SLEEP] not in commands()
    assert not [words for words in commands() if words[:1] == ["bwrap"] and str(graded[3]) in " ".join(words)]


def test_the_grader_itself_stays_small(graded):
    assert graded[2] < 900e6  # one submission printed 100 MB in a line


def test_a_wrong_answer_gets_its_hint_on_the_page(graded):
    page = (graded[1] / "wrong.html").read_text()
    assert "Hint: Arrays add as numbers do." in page
    assert "tiny.1: judged by the grader" in page


def test_an_answer_of_lists_in_lists_is_refused_in_a_sentence(graded):
    assert "has lists in lists more than 40 deep" in (graded[1] / "deep.html").read_text()


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


def test_an_endless_loop_is_stopped_and_what_was_answered_before_counts(make_tiny_course, tmp_path):
    course = make_tiny_course(tmp_path)
    endless = QUICK | {"exercise": "def add(a, b):\n    while True: pass"}
    submission(course, tmp_path / "hand-in/Ada Lovelace_123/my work.ipynb", endless)
    rows, *_ = grade(tmp_path, course, "--timeout", "10", "--engine", "bubblewrap")
    row = rows["Ada Lovelace_123"]
    assert (row["status"], row["tiny.1 verdict"]) == ("timed out", "not reached")
