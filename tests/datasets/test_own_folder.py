"""What is taken from a user's own folder, and what is left out with which reason."""

import os
import socket

import pytest

from k2c._system.load_report import LoadReport
from k2c.datasets.own_folder import files_below


@pytest.fixture
def listed(tmp_path):
    """Return the names found in `tmp_path / "mine"`, and what was left out by reason."""
    folder = tmp_path / "mine"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_text("x")
    (folder / "below" / "b.txt").write_text("x")

    def look():
        report = LoadReport("files")
        names = [path.relative_to(folder).as_posix() for path in files_below(folder, report)]
        return names, report.left_out

    look.folder = folder
    return look


def test_every_file_is_found_in_the_order_of_the_names(listed):
    assert listed() == (["a.txt", "below/b.txt"], {})


@pytest.mark.parametrize("name", ["desktop.ini", "Thumbs.db", "Icon\r", "ehthumbs.db"])
def test_files_of_the_operating_system_are_left_out(listed, name):
    (listed.folder / name).write_text("x")
    assert listed()[1] == {"a file of the operating system": [name]}


def test_hidden_files_and_folders_are_left_out(listed):
    (listed.folder / ".git").mkdir()
    (listed.folder / ".git" / "HEAD").write_text("x")
    (listed.folder / ".DS_Store").write_text("x")
    (listed.folder / "__MACOSX").mkdir()
    names, left_out = listed()
    assert names == ["a.txt", "below/b.txt"]
    assert left_out == {"a file of the operating system": ["__MACOSX/"], "hidden": [".git/", ".DS_Store"]}


def test_empty_files_are_left_out(listed):
    (listed.folder / "nothing").touch()
    assert listed()[1] == {"empty": ["nothing"]}


def test_a_pipe_a_socket_and_a_device_are_never_opened(listed, monkeypatch):
    os.mkfifo(listed.folder / "pipe")
    monkeypatch.chdir(listed.folder)  # the path of a socket is limited to about a hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert listed()[1] == {"not an ordinary file": ["pipe", "socket"]}


def test_links_that_lead_out_are_not_followed(listed, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("x")
    (listed.folder / "file").symlink_to(tmp_path / "elsewhere" / "secret")
    (listed.folder / "folder").symlink_to(tmp_path / "elsewhere")
    (listed.folder / "device").symlink_to("/dev/zero")
    (listed.folder / "broken").symlink_to("nowhere")
    names, left_out = listed()
    assert names == ["a.txt", "below/b.txt"]
    assert left_out == {
        "a link that leads out of the folder": ["folder/", "device", "file"],
        "a link to nothing": ["broken"],
    }


def test_links_inside_are_read_once_and_loops_end(listed):
    (listed.folder / "below" / "up").symlink_to(listed.folder)
    (listed.folder / "itself").symlink_to("itself")
    (listed.folder / "again").symlink_to("a.txt")
    names, left_out = listed()
    assert names == ["a.txt", "again", "below/b.txt"]
    assert left_out.pop("a link to a folder in the same folder") == ["below/up/"]
    assert [names for names in left_out.values()] == [["itself"]]


def test_the_folder_itself_may_be_a_link(listed, tmp_path):
    (tmp_path / "link").symlink_to(listed.folder)
    assert [path.name for path in files_below(tmp_path / "link", LoadReport("files"))] == ["a.txt", "b.txt"]
