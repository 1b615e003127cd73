"""A small file is read whole or refused with a sentence, whatever stands in its place."""

import os

import pytest

from k2c._system.plain_file import UnreadableError, read_json, read_text

TEXT = 'title: "größe 図"\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_with_a_byte_order_mark_is_read_by_it(tmp_path, encoding):
    (tmp_path / "file").write_bytes(TEXT.encode(encoding))
    assert read_text(tmp_path / "file") == TEXT


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("one\ntwö".encode("cp1252"), "is not UTF-8 text (line 2, byte 0xf6). Save it as UTF-8"),
        (b"\xff\xfea", "is not UTF-8 text"),  # UTF-16 that ends in the middle of a letter
        (b"x" * 1001, "0 MB are the most"),
    ],
)
def test_what_is_no_text_or_too_large_is_refused(tmp_path, content, said):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnreadableError) as caught:
        read_text(tmp_path / "file", most=1000)
    assert said in str(caught.value)


def test_a_folder_a_pipe_and_a_device_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path, "is a folder"), (tmp_path / "pipe", "no ordinary file")):
        with pytest.raises(UnreadableError, match=said):
            read_text(path)


def test_the_name_of_the_file_is_shown_as_text(tmp_path):
    path = tmp_path / "a\x1b[2J\u202e.yml"
    path.write_bytes(b"\xff")
    with pytest.raises(UnreadableError) as caught:
        read_text(path)
    assert r"a\x1b[2J\u202e.yml" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "9" * 5000, "nil", '"\ud800'], ids=lambda text: text[:3]
)
def test_json_that_is_none_is_one_kind_of_error(tmp_path, text):
    (tmp_path / "file").write_text(text, errors="surrogatepass")
    with pytest.raises(UnreadableError):
        read_json(tmp_path / "file")


def test_a_file_that_is_not_there_is_the_callers_to_judge(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "file")
