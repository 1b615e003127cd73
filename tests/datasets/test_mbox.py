"""mbox in all of its dialects."""

import io

import pytest

from k2c.datasets.mail_files import is_mbox, messages_of

FROM = b"From a@b.example Thu Aug 22 12:36:23 2002\n"


def split(raw: bytes) -> list[bytes]:
    assert is_mbox(raw)
    return [message.strip() for message in messages_of(io.BytesIO(raw))]


NO_BLANK = b"A: 1\n\nx\n" + FROM + b"B: 2\n\nquoted"
CRLF = FROM.replace(b"\n", b"\r\n")
DIALECTS = {
    "two": (
        FROM + b"Subject: a\n\nx\n\n" + FROM + b"Subject: b\n\ny\n",
        [b"Subject: a\n\nx", b"Subject: b\n\ny"],
    ),
    "no newline at the end": (FROM + b"A: 1\n\nno end of line", [b"A: 1\n\nno end of line"]),
    "escaped": (FROM + b"A: 1\n\n>From here\n>>From there\n", [b"A: 1\n\nFrom here\n>From there"]),
    "prose": (FROM + b"A: 1\n\nFrom Monday on: no\n", [b"A: 1\n\nFrom Monday on: no"]),
    "prose with a time": (
        FROM + b"A: 1\n\nx\n\nFrom 9:30 on, in 2002, no",
        [b"A: 1\n\nx\n\nFrom 9:30 on, in 2002, no"],
    ),
    "no empty line before": (FROM + NO_BLANK, [NO_BLANK]),
    "CRLF": (CRLF + b"A: 1\r\n\r\nx\r\n\r\n" + CRLF + b"B: 2\r\n\r\ny", [b"A: 1\r\n\r\nx", b"B: 2\r\n\r\ny"]),
    "Thunderbird": (
        b"From - Mon Jan 01 10:00:00 2024\nA: 1\n\nx\n\nFrom \nB: 2\n\ny",
        [b"A: 1\n\nx", b"B: 2\n\ny"],
    ),
    "byte order mark": (b"\xef\xbb\xbf" + FROM + b"A: 1\n\nx\n", [b"A: 1\n\nx"]),
    "Gmail": (b"From 17@xxx Mon Jan 01 10:00:00 +0000 2024\nA: 1\n\nx\n", [b"A: 1\n\nx"]),
}


@pytest.mark.parametrize(("raw", "messages"), DIALECTS.values(), ids=DIALECTS)
def test_messages_are_told_apart(raw, messages):
    assert split(raw) == messages


def test_content_length_is_followed_where_it_is_true():
    quoted = b"\n" + FROM + b"Subject: quoted\n\n>From here\n"  # unescaped, as mboxcl2 leaves it
    first = b"Content-Length: %d\n\n" % len(quoted) + quoted
    assert split(FROM + first + b"\n" + FROM + b"B: 2\n\ny\n") == [first.strip(), b"B: 2\n\ny"]
    assert split(FROM + first) == [first.strip()]


@pytest.mark.parametrize("length", [b"0", b"3", b"99999999999999999999999", b"-1", b"x"])
def test_a_wrong_content_length_is_ignored(length):
    raw = FROM + b"Content-Length: " + length + b"\n\nlonger text\n\n" + FROM + b"B: 2\n\ny\n"
    assert split(raw) == [b"Content-Length: " + length + b"\n\nlonger text", b"B: 2\n\ny"]


@pytest.mark.parametrize(
    "raw", [b"", b"From here to there\nA: 1", FROM + b"no header", b"Subject: x\n\n" + FROM]
)
def test_other_files_are_none(raw):
    assert not is_mbox(raw)
