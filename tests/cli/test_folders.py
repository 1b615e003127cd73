"""Folders that cannot be used are told in a sentence, with what to do about them."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from k2c._system.paths import cache_dir, student_dir
from k2c.cli.group import explain
from k2c.errors import K2CError

LONG = "x" * 300


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "--out", "file/x"], "a file is where a folder is needed. Name another one with --out."),
        (["run", "--out=/proc/x/y"], "/proc/x/y cannot be used"),
        (["run", "--out", LONG], "the name is too long. Name another one with --out."),
        (["build", "student", "file/x"], "a file is where a folder is needed. Name another one instead of file/x."),
        (["slides", "00", "--out", f"{LONG}/a.html"], "the name is too long"),
        (["grade", "in", "--out", "file/x"], "Name another one with --out."),
        (["grade", "in", "--csv", "file/x.csv"], "Name another one with --csv."),
        (["grade", "in", "--csv", f"{LONG}.csv"], "the name is too long. Name another one with --csv."),
        (["bench", "--history", "file/deep/h.csv"], "is needed. Name another one with --history."),
        (["predict", "in", "--csv", "a.csv", "--html", "file/a.html"], "Name another one with --html."),
        (["fine-tune", "in", "file/own.pt"], "Name another one instead of file/own.pt."),
        (["export", "efficientnet_lite0", "--to", "onnx", "--out", "file/x.onnx"], "Name another one with --out."),
        (["batch", "trial.yml", "--out", "file/x"], "Name another one with --out."),
        (["site", "file/x"], "a file is where a folder is needed. Name another one instead of file/x."),
    ],
)  # fmt: skip
def test_each_command_names_the_path_and_the_option(tiny_course, tmp_path, k2c, words, sentence):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/ada.ipynb").write_text((tiny_course / "notebooks/00_tiny.ipynb").read_text())
    (tmp_path / "trial.yml").write_text("lecture: 00\nsweep: {grid: {steps: [1]}}\n")
    result = k2c(*words)
    assert result.returncode == 2, result.stdout
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in k2c(*words, env={"K2C_DEBUG": "1"}).stderr
    assert not list(tmp_path.rglob("*.part"))


def test_a_folder_that_was_removed_under_us(tiny_course, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f"cd {gone} && rmdir {gone} && {sys.executable} -m k2c run"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.endswith("Go to another one with cd, and repeat the command.\n"), done.stderr


@pytest.mark.parametrize(
    ("number", "path", "sentence"),
    [
        (errno.EACCES, "mine/run.json", "mine/run.json cannot be used: this user has no permission there. Name"),
        (errno.EROFS, "mine", "the file system is read-only. Name another one with --out."),
        (errno.EDQUOT, "mine/a", "the quota of disk space is used up. Name another one with --out."),
        (errno.EACCES, ".t.csv.abc.part", "Name another one with --csv."),
        (errno.EACCES, "runs/2026", "Work in a folder that you may write to, or name one with --out."),
        (errno.EROFS, "cache/mnist", "Set K2C_DATA to a folder of yours, for downloaded data."),
        (errno.EACCES, "solved/a", "Set K2C_STUDENT to a folder of yours, or to off."),
        (errno.ENOSPC, None, "Nothing more can be written: the disk is full."),
        (errno.EMFILE, None, "Too many files are open at a time. Allow more with: ulimit -n 4096"),
    ],
)  # fmt: skip
def test_what_the_system_refuses_is_explained_by_whose_path_it_is(
    monkeypatch, tmp_path, number, path, sentence
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("K2C_DATA", str(tmp_path.parent / "cache"))
    monkeypatch.setenv("K2C_STUDENT", str(tmp_path.parent / "solved"))
    folder = tmp_path.parent if path and path.startswith(("cache", "solved")) else tmp_path
    error = OSError(number, os.strerror(number), str(folder / path) if path else None)
    assert sentence in explain(error, ["run", "--out", "mine", "--csv=t.csv"])


def test_a_disk_that_is_full_while_a_folder_is_copied(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source)

    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").touch()
    with pytest.raises(shutil.Error) as raised:
        shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=refuse)
    assert explain(raised.value, []) == "Nothing more can be written: the disk is full. Free some space."


def test_a_fault_of_the_kit_is_not_hidden():
    assert (
        explain(OSError(errno.ENOENT, "no", "/usr/lib/a/file/of/the/kit"), ["run", "--out", "mine"]) is None
    )
    assert explain(OSError("something else"), []) is None


def test_no_folder_for_temporary_files(monkeypatch):
    def refuse():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    assert "Set TMPDIR" in explain(OSError(errno.ENOENT, "no"), [])


@pytest.mark.parametrize("value", ["", "relative", "./x"])
@pytest.mark.parametrize(
    ("variable", "chosen", "folder", "default"),
    [
        ("XDG_CACHE_HOME", "K2C_DATA", cache_dir, ".cache/k2c"),
        ("XDG_DATA_HOME", "K2C_STUDENT", student_dir, ".local/share/k2c"),
    ],
)
def test_an_empty_or_relative_xdg_folder_is_ignored(
    monkeypatch, tmp_path, value, variable, chosen, folder, default
):
    monkeypatch.delenv(chosen, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, value)
    assert folder() == tmp_path / default
    monkeypatch.setenv(variable, str(tmp_path / "own"))
    assert folder() == tmp_path / "own/k2c"


def test_a_user_without_a_home(monkeypatch):
    import pwd

    def unknown(number):
        raise KeyError(number)

    for variable in ("K2C_DATA", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(K2CError, match="This user has no home folder"):
        cache_dir()


def test_a_relative_cache_is_one_folder_for_the_command_and_its_lectures(
    tiny_course, k2c, tmp_path, edit_cell
):
    here = str(tmp_path / "cache")
    edit_cell("claim", f"from k2c._system.paths import cache_dir\nassert str(cache_dir()) == {here!r}")
    result = k2c("run", "--out", "out", env={"K2C_DATA": "cache"})
    assert result.returncode == 0, result.stdout
