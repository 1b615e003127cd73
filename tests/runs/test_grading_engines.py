"""What keeps submissions in: chosen, refused or replaced; and what a fake program shows of those not installed here."""

import ast
import os
import struct
import sys
import textwrap
from itertools import pairwise
from pathlib import Path, PurePosixPath

import nbformat
import psutil
import pytest
from click.testing import CliRunner

from k2c.cli import main
from k2c.errors import K2CError
from k2c.runs.grading import SubmissionLimits, bubblewrap, find_engine, grade_export, read_export, visible
from k2c.runs.grading.bubblewrap import Bubblewrap
from k2c.runs.grading.containers import Container
from k2c.runs.grading.seccomp import REFUSED, filter_for
from k2c.runs.grading.submissions import find_submissions

posix = pytest.mark.skipif(os.name != "posix", reason="a program written as a script of a shell")
linux = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")
LIMITS = SubmissionLimits(seconds=60, memory=2 * 10**9, threads=2)


def hand_in(course, folder, **changes):
    notebook = nbformat.read(course / "notebooks/00_tiny.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = changes.get(cell.id, cell.source)
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "ada.ipynb")


def program(folder, name, code):
    """Write a program of that name that stands in for the real one."""
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!{sys.executable} -P\nimport os, subprocess, sys\n{textwrap.dedent(code)}")
    file.chmod(0o755)


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_without_an_engine_nothing_is_graded_and_it_is_said_what_to_install(k2c, tiny_course, tmp_path):
    hand_in(tiny_course, tmp_path / "in", claim="open('/tmp/k2c-ran', 'w')")
    done = k2c("grade", "in", env={"PATH": str(tmp_path)})
    assert done.returncode == 2
    for words in (
        "bubblewrap: not installed.",
        "docker: not installed.",
        "apt install bubblewrap",
        "--unconfined",
    ):
        assert words in " ".join(done.stderr.split())
    assert not (tmp_path / "in-graded").exists()


def test_elsewhere_than_on_linux_a_container_is_what_to_install(nothing_installed, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(K2CError, match=r"for Linux only.*Install Docker or Podman.*docker build -t k2c"):
        find_engine()


def test_an_engine_that_is_named_is_the_only_one_tried(nothing_installed):
    with pytest.raises(K2CError, match=r"keep it in\. podman: not installed\. Install"):
        find_engine("podman")


def test_unconfined_is_written_on_every_page(k2c, tiny_course, tmp_path):
    leaves = f"import subprocess\nsubprocess.Popen(['sleep', '{os.getpid()}.5'], start_new_session=True)"
    hand_in(tiny_course, tmp_path / "in", open="# k2c.open_lecture('00_tiny')\nimport k2c", claim=leaves)
    done = k2c("grade", "in", "--unconfined", "--memory", "1", env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stdout + done.stderr
    for page in ("index.html", "ada.html"):
        assert "Engine: NONE (--unconfined)" in (tmp_path / "in-graded" / page).read_text()
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", f"{os.getpid()}.5"]
    ]


def test_unconfined_and_an_engine_exclude_each_other(tmp_path):
    done = CliRunner().invoke(main, ["grade", str(tmp_path), "--unconfined", "--engine", "docker"])
    assert "exclude each other" in done.output


DOCKER = """
    with open(os.environ["FAKE_LOG"], "a") as log:
        print(sys.argv[1:], file=log)
    if sys.argv[1:3] == ["image", "inspect"]:
        print("student /home/student/k2c")
    if sys.argv[1] == "run":  # what the image would do, without its walls
        at = sys.argv.index("python")
        inside = dict(word.split("=", 1) for flag, word in zip(sys.argv, sys.argv[1:]) if flag == "--env")
        inside |= {"TMPDIR": os.environ["FAKE_WORK"], "HOME": os.environ["FAKE_WORK"]}
        inside |= {"K2C_HOME": os.environ["K2C_HOME"], "PATH": os.environ["FAKE_PATH"]}
        sys.exit(subprocess.run([sys.executable, *sys.argv[at + 1:]], env=inside).returncode)
"""


@posix
def test_a_container_gets_the_kit_without_solutions_and_nothing_else(
    nothing_installed, tiny_course, tmp_path, monkeypatch
):
    program(nothing_installed, "docker", DOCKER)
    log = tmp_path / "log"
    (tmp_path / "work").mkdir()
    for name, value in {"LOG": log, "WORK": tmp_path / "work", "PATH": "/usr/bin:/bin"}.items():
        monkeypatch.setenv(f"FAKE_{name}", str(value))
    (tmp_path / "cache/features").mkdir(parents=True)
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    hand_in(tiny_course, tmp_path / "in", exercise="def add(a, b):\n    return a + b")
    (grade,) = grade_export(
        read_export(tmp_path / "in"),
        tmp_path / "out",
        tmp_path / "g.csv",
        None,
        LIMITS,
        1,
        find_engine("docker"),
    )
    assert (grade.status, grade.verdicts["tiny.1"].status) == ("graded", "right"), grade.detail
    words = [ast.literal_eval(line) for line in log.read_text().splitlines()]
    run = next(line for line in words if line[0] == "run")
    name = run[run.index("--name") + 1]
    assert ["rm", "--force", name] in words
    kit, package = PurePosixPath("/home/student/k2c"), Path(visible.__file__).parents[2]
    shown = {f"{tiny_course}/{part}": f"{kit}/{part}" for part in ("course/syllabus.yml", "data")}
    shown |= {str(package): f"{kit}/src/k2c", str(tmp_path / "cache/features"): "/k2c-data/features"}
    mounted = [word for flag, word in pairwise(run) if flag == "--mount"]
    assert mounted == [f"type=bind,source={path},target={inside},readonly" for path, inside in shown.items()]
    first = run[: run.index("--mount")]
    assert first == [
        "run", "--rm", "--interactive", "--name", name, "--log-driver", "none", "--network", "none",
        "--ipc", "private", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
        "--pids-limit", "264", "--memory", "2500000000", "--memory-swap", "2500000000", "--cpus", "2",
        "--shm-size", "500000000", "--tmpfs", "/tmp:rw,nosuid,nodev,mode=1777,size=500000000",
        "--tmpfs", f"{kit}/course/solutions:ro,size=4096",
    ]  # fmt: skip
    assert run[run.index("--workdir") :][:5] == ["--workdir", "/tmp", "k2c", "python", "-P"]


@posix
@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("sys.exit(sys.argv[1] == 'info')", "its service does not answer"),
        ("sys.exit(sys.argv[1] == 'image')", "docker build -t k2c -f .devcontainer/Dockerfile"),
        ("print(' /home')", "its image runs as root"),
    ],
)
def test_what_a_container_misses_is_said(nothing_installed, code, problem):
    program(nothing_installed, "docker", code)
    assert problem in Container("docker").problem()


@linux
def test_systemd_bounds_memory_and_tasks_where_it_runs_the_machine(tiny_course, tmp_path, monkeypatch):
    if problem := Bubblewrap().problem():
        pytest.skip(f"bubblewrap: {problem}")
    log = tmp_path / "log"
    code = f"""
        with open({str(log)!r}, "a") as log:
            print(sys.argv[1:], file=log)
        words = sys.argv[sys.argv.index("--") + 1:]
        os.execvp(words[0], words)
    """
    program(tmp_path / "bin", "systemd-run", code)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr(bubblewrap, "SYSTEMD", tmp_path)
    engine = Bubblewrap()
    assert engine.problem() == ""
    assert "a control group of systemd" in engine.describe(LIMITS)["memory"]
    (grade,) = _graded(tiny_course, tmp_path, engine)
    assert grade.status == "graded"
    words = ast.literal_eval(log.read_text().splitlines()[-1])
    user = [] if os.geteuid() == 0 else ["--user"]
    assert words[: words.index("bwrap")] == [
        *user, "--scope", "--quiet", "--collect", "-p", "MemoryMax=2500000000", "-p", "MemorySwapMax=0",
        "-p", "TasksMax=264", "--",
    ]  # fmt: skip


def _graded(course, folder, engine):
    hand_in(course, folder / "in", open="# k2c.open_lecture('00_tiny')\nimport k2c")
    return grade_export(read_export(folder / "in"), folder / "out", folder / "g.csv", None, LIMITS, 1, engine)


@linux
def test_bubblewrap_that_does_not_start_says_why(nothing_installed):
    program(nothing_installed, "bwrap", "sys.exit('bwrap: No permissions to create new namespace')")
    assert "No permissions to create new namespace" in Bubblewrap().problem()
    program(nothing_installed, "bwrap", "sys.exit('bwrap: Unknown option --size')")
    assert "Unknown option --size; version 0.8 or newer is needed" in Bubblewrap().problem()


def test_what_is_hidden_is_left_out_of_a_folder_that_is_shown(tmp_path):
    for name in ("a/solutions/x", "a/kept", "b"):
        (tmp_path / name).mkdir(parents=True)
    shown = visible.without(tmp_path, [tmp_path / "a/solutions"])
    assert shown == [tmp_path / "a/kept", tmp_path / "b"]


def decide(rules, number, argument=0, architecture=0xC000003E):
    """Run a filter as the kernel does; returns `allow`, `kill` or the error's number."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, argument, *[0] * 5)
    steps, at, value = list(struct.iter_unpack("<HBBI", rules)), 0, 0
    while True:
        code, yes, no, constant = steps[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, constant)
            case 0x06:
                return {0x7FFF0000: "allow", 0x80000000: "kill"}.get(constant, constant & 0xFFFF)
            case 0x15:
                at += yes if value == constant else no
            case 0x35:
                at += yes if value >= constant else no
            case 0x45:
                at += yes if value & constant else no


@pytest.mark.parametrize(
    ("machine", "architecture", "numbers", "clone"),
    [
        ("x86_64", 0xC000003E, {"memfd_create": 319, "shmget": 29, "unshare": 272, "read": 0}, 56),
        ("aarch64", 0xC00000B7, {"memfd_create": 279, "shmget": 194, "unshare": 97, "read": 63}, 220),
    ],
)
def test_the_filter_refuses_calls_by_number_and_new_namespaces_by_flag(machine, architecture, numbers, clone):
    rules = filter_for(machine)
    for name, number in numbers.items():
        assert decide(rules, number, architecture=architecture) == (38 if name in REFUSED else "allow")
    new_user, thread = 0x10000000, 0x003D0F00
    assert decide(rules, clone, new_user, architecture) == 38
    assert decide(rules, clone, thread, architecture) == "allow"
    assert (
        decide(rules, 0, architecture=0x40000003) == "kill"
    )  # 32-bit calls, whose numbers mean other things


def test_a_processor_that_is_not_known_has_no_filter():
    assert filter_for("riscv64") is None


def test_what_was_handed_in_is_opened_with_care(tiny_course, tmp_path):
    folder = tmp_path / "in"
    hand_in(tiny_course, folder)
    text = (folder / "ada.ipynb").read_text()
    (folder / "large.ipynb").write_text(text + " " * 20_000_000)
    (folder / "many.ipynb").write_text('{"cells": [' + ",".join(["{}"] * 2001) + '], "nbformat": 4}')
    (folder / "nested.ipynb").write_text("[" * 100_000)
    (folder / "folder-link").symlink_to(folder)
    found = {
        one.student: one.detail
        for one in find_submissions(read_export(folder), None)[1]
        if one.refused == "not a notebook"
    }
    assert {*found} == {"large", "many", "nested", "folder-link"}
    assert "20 MB" in found["large"]
    assert "2001 cells" in found["many"]
    assert "it is a link" in found["folder-link"]
