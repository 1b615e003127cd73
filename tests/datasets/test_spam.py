"""Spam: the three places that messages come from, and mail in every state of repair."""

import io
import json
import os
import zipfile
from email.message import EmailMessage
from pathlib import Path

import numpy as np
import pytest

from k2c.datasets import load_spam, read_registry
from k2c.datasets.downloads import hash_of
from k2c.datasets.spam import read_sms
from k2c.errors import K2CError


@pytest.fixture
def mailbox(tmp_path):
    """Write raw messages of spam beside one of ham: `mailbox(one=b"...")` returns the spam that is read."""
    for label in ("ham", "spam"):
        (tmp_path / "mail" / label).mkdir(parents=True)

    def write(**messages: bytes):
        for name, raw in messages.items():
            (tmp_path / "mail" / "spam" / name).write_bytes(raw)
        messages = load_spam(tmp_path / "mail")
        return messages.subset(messages.is_spam)

    (tmp_path / "mail" / "ham" / "wanted").write_bytes(b"see you at noon")

    write.folder = tmp_path / "mail"
    return write


# The corpus of the kit


def test_the_shipped_corpus(monkeypatch):
    monkeypatch.setenv("K2C_OFFLINE", "1")
    messages = load_spam()
    assert len(messages) >= 1200 and len(set(messages.texts)) == len(messages)
    assert messages.is_spam.dtype == bool and 0.3 < messages.is_spam.mean() < 0.7
    assert {"kind", "topic", "hard"} <= set(messages.table.columns)
    hard = messages.table["hard"].to_numpy(dtype=bool)
    assert hard[messages.is_spam].sum() > 50 and hard[~messages.is_spam].sum() > 50
    assert f"ham: {(~messages.is_spam).sum():,}" in repr(messages)


def test_a_split_is_stratified_reproducible_and_keeps_rows_together():
    messages = load_spam()
    train, test = messages.split(0.25, seed=3)
    assert len(train) + len(test) == len(messages) and not set(train.texts) & set(test.texts)
    assert abs(train.is_spam.mean() - test.is_spam.mean()) < 0.005
    again, other = messages.split(0.25, seed=3)[1], messages.split(0.25, seed=4)[1]
    assert again.texts == test.texts != other.texts
    row = messages.texts.index(test.texts[7])
    assert test.table.iloc[7].to_dict() == messages.table.iloc[row].to_dict()
    assert test.is_spam[7] == messages.is_spam[row]


def test_subsets_take_indices_slices_and_masks():
    messages = load_spam()
    assert messages.subset([4, 2]).texts == [messages.texts[4], messages.texts[2]]
    assert len(messages.subset(slice(10))) == 10
    spam = messages.subset(messages.is_spam)
    assert spam.is_spam.all() and list(spam.table.index) == list(range(len(spam)))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 25])
def test_a_test_fraction_outside_of_0_to_1_is_refused(fraction):
    with pytest.raises(K2CError, match="must lie between 0 and 1"):
        load_spam().split(fraction)


def test_too_few_messages_to_split_are_refused():
    with pytest.raises(K2CError, match="too small to split"):
        load_spam().subset([0, 1]).split(0.5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"label": "eggs", "text": "x"}', "message 2: the label is 'eggs'"),
        ("not json", "JSON"),
        ('{"text": "x"}', "ham or spam"),
    ],
)
def test_a_corpus_with_a_mistake_says_where(line, said, home, home_registry):
    home_registry("spam")({}, [{"kind": "shipped", "path": "messages.jsonl"}])
    good = json.dumps({"label": "ham", "text": "x\u2028y"})  # a separator that ends no line
    (home / "data" / "messages.jsonl").write_text(f"{good}\n{line}\n")
    with pytest.raises(K2CError, match=said):
        load_spam()


def test_a_corpus_that_was_deleted_says_how_to_get_it_back(home, home_registry):
    home_registry("spam")({}, [{"kind": "shipped", "path": "messages.jsonl"}])
    with pytest.raises(K2CError, match=r"git checkout -- data/messages\.jsonl"):
        load_spam()


# The SMS Spam Collection


def test_sms_is_downloaded_and_its_repeated_messages_are_dropped(server, home_registry):
    content = "ham\tsee you at 8\nspam\tWIN a prize\tnow £££\nham\tsee you at 8\nham\tok\n".encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("SMSSpamCollection", content)
    server.files["/sms.zip"] = packed.getvalue()
    download = {"url": "sms.zip", "unpack": "zip", "to": {"SMSSpamCollection": "SMSSpamCollection"}}
    home_registry("sms-spam")(
        {"SMSSpamCollection": content}, [{"kind": "url", "base": server.url, "downloads": [download]}]
    )
    messages = load_spam("sms")
    assert messages.texts == ["see you at 8", "WIN a prize\tnow £££", "ok"]
    assert messages.is_spam.tolist() == [False, True, False]


@pytest.mark.realdata
def test_the_real_sms_collection():
    if "K2C_REALDATA" not in os.environ:
        pytest.skip("K2C_REALDATA names no folder of real data")
    path = Path(os.environ["K2C_REALDATA"]) / "spam" / "SMSSpamCollection"
    registered = read_registry()["sms-spam"].files["SMSSpamCollection"]
    assert hash_of(path, registered.hash) == registered.hash and path.stat().st_size == registered.size
    messages = read_sms(path)
    assert (len(messages), messages.is_spam.sum()) == (5574, 747)
    assert len(messages.without_duplicates()) == 5574 - 403


# A folder of mail


def test_plain_messages_keep_subject_and_text(mailbox):
    messages = mailbox(one=b"From: a@b.example\nSubject: Lunch?\n\nAt noon.\n  Bring   soup.\n")
    assert messages.texts == ["Subject: Lunch?\n\nAt noon.\nBring soup."]
    assert messages.is_spam.tolist() == [True]
    assert messages.table["file"].tolist() == ["spam/one"]


def test_a_file_without_headers_is_all_text(mailbox):
    assert mailbox(one=b"note: buy milk\nand bread").texts == ["note: buy milk\nand bread"]


@pytest.mark.parametrize(
    "raw",
    [
        "Subject: x\nContent-Type: text/plain; charset=iso-8859-1\n\ncafé €".encode("cp1252"),
        "Subject: x\nContent-Type: text/plain; charset=utf-8\n\ncafé €".encode(),
        "Subject: x\nContent-Type: text/plain; charset=no-such-charset\n\ncafé €".encode(),
        "Subject: x\n\ncafé €".encode(),
        "\ufeffSubject: x\n\ncafé €".encode(),
        "Subject: x\n\ncafé €".encode("cp1252"),
        "Subject: x\n\ncafé €".encode("utf-16"),
        b"Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nY2Fmw6kg4oKs",
        b"Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        b"caf=C3=A9 =E2=82=AC",
    ],
)
def test_every_encoding_is_read(raw, mailbox):
    (text,) = mailbox(one=raw).texts
    assert text.replace("\x80", "€") == "Subject: x\n\ncafé €"


def test_headers_are_decoded(mailbox):
    assert mailbox(one=b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\nx").texts == ["Subject: Grüße\n\nx"]


def test_html_becomes_its_visible_text(mailbox):
    html = "<head><title>t</title><style>p{}</style></head><p>Big &amp; <b>bold</b><br>offer"
    html += "<script>1<2</script><!-- <i> --></p>"
    raw = f"Subject: x\nContent-Type: text/html\n\n{html}".encode()
    assert mailbox(one=raw).texts == ["Subject: x\n\nBig & bold\noffer"]


def test_parts_are_joined_alternatives_are_not_and_attachments_are_named(mailbox):
    mail = EmailMessage()
    mail["Subject"] = "Invoice"
    mail.set_content("plain words")
    mail.add_alternative("<p>html words</p>", subtype="html")
    mail.add_attachment(b"%PDF-1.7 secret", maintype="application", subtype="pdf", filename="invoice.pdf")
    mail.add_attachment("attached words", filename="notes.txt")
    messages = mailbox(one=mail.as_bytes())
    assert messages.texts == ["Subject: Invoice\n\nplain words"]
    assert messages.table["attachments"].tolist() == [["application/pdf invoice.pdf", "text/plain notes.txt"]]


def test_broken_messages_cost_only_themselves(mailbox):
    (mailbox.folder / "spam" / "broken-link").symlink_to("nowhere")
    (mailbox.folder / "spam" / ".hidden").write_bytes(b"not a message")
    (mailbox.folder / "spam" / "2024").mkdir()
    (mailbox.folder / "spam" / "2024" / "deep").write_bytes(b"Subject: deep\n\nx")
    messages = mailbox(
        empty=b"",
        blank=b"\n\n",
        image=b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20,
        cut=b"Subject: cut\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>half <a h",
        no_boundary=b"Subject: lost\nContent-Type: multipart/mixed\n\nwords",
        bad_base64=b"Subject: b64\nContent-Transfer-Encoding: base64\n\n!!!!",
        bad_header=b'Subject: =?utf-8?b?////?=\nContent-Type: text/plain; charset="\x00"\nTo: <<<@@,;\n\nstill here',
    )
    assert messages.texts[0] == "Subject: deep\n\nx"
    assert list(messages.table["file"]) == [
        "spam/2024/deep",
        "spam/bad_base64",
        "spam/bad_header",
        "spam/cut",
        "spam/no_boundary",
    ]
    assert messages.report.left_out == {
        "hidden": ["spam/.hidden"],
        "a link to nothing": ["spam/broken-link"],
        "empty": ["spam/empty"],
        "no text in it": ["spam/blank"],
        "binary data, not a message": ["spam/image"],
    }
    assert messages.report.read == 6
    text_of = dict(zip(messages.table["file"], messages.texts, strict=True))
    assert "half" in text_of["spam/cut"] and "words" in text_of["spam/no_boundary"]
    assert "still here" in text_of["spam/bad_header"]
    assert "5 left out" in repr(messages)


def test_damaged_bytes_are_never_fatal(mailbox):
    """Real MIME messages with random bytes changed, cut out and repeated."""
    random = np.random.default_rng(0)
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "Grüße", "A <a@b.example>"
    mail.set_content("plain words " * 20)
    mail.add_alternative("<p>html <i>words</i></p>" * 20, subtype="html")
    mail.add_attachment(b"0" * 200, maintype="image", subtype="png", filename="x.png")
    whole, damaged = mail.as_bytes(), {}
    for number in range(300):
        raw = bytearray(whole)
        for position in random.integers(0, len(whole) - 300, size=10):
            raw[position] = random.integers(256)
            if number % 2:
                del raw[position : position + random.integers(30)]
        damaged[f"{number:03}"] = bytes(raw)
    messages = mailbox(**damaged)
    assert len(messages) + len(messages.report) == 300 and len(messages) > 290
    "".join(messages.texts).encode("utf-8")


@pytest.mark.parametrize(
    "piece", ["<", "<!--", "<a ", "<script>", "<style", "&#", "<!-->", "</", "<p title='"]
)
def test_hostile_html_takes_no_more_time_than_its_length(piece, mailbox):
    """The standard parser needs minutes for some of these; the test's own time limit would notice."""
    mailbox(one=b"Content-Type: text/html\n\nx" + piece.encode() * (200_000 // len(piece)))


def test_a_folder_that_is_not_there_is_named():
    with pytest.raises(
        K2CError, match=r'source="smss" is neither "shipped" nor "sms", and no file or folder has'
    ):
        load_spam("smss")


def test_a_folder_without_ham_or_spam_says_which(tmp_path):
    (tmp_path / "spam").mkdir()
    (tmp_path / "spam" / "one").write_bytes(b"buy")
    with pytest.raises(
        K2CError, match="has spam, but no message in a folder or an mbox file that is named ham"
    ):
        load_spam(tmp_path)


def test_a_folder_without_a_readable_message_is_refused(mailbox):
    with pytest.raises(K2CError, match="holds no readable message"):
        (mailbox.folder / "ham" / "wanted").write_bytes(b"\0" * 100)
        mailbox(blank=b"\n")
