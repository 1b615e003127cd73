"""Mail as it is published and as people have it: every layout, what is left out, and what is refused."""

import os
import shutil
from pathlib import Path

import pytest

from k2c.datasets import load_spam
from k2c.errors import K2CError


def mail(words: str, *headers: str) -> str:
    return "\n".join(["From: a@b.example", f"Subject: {words}", *headers, "", f"{words} in the text", ""])


def mbox(*words: str) -> str:
    return "".join(f"From a@b.example Thu Aug 22 12:36:23 2002\n{mail(word)}\n" for word in words)


@pytest.fixture
def own(tmp_path, capsys):
    """Write files by name, and read them: `own({"ham/1": "..."})`; `at` names the file or folder to read."""

    def load(files: dict[str, str | bytes], at: str = ""):
        for name, content in files.items():
            path = tmp_path / "own" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_spam(tmp_path / "own" / at)

    load.folder = tmp_path / "own"
    return load


def subjects(messages, label: str) -> list[str]:
    texts = [
        text for text, spam in zip(messages.texts, messages.is_spam, strict=True) if spam == (label == "spam")
    ]
    return [text.partition("\n")[0].removeprefix("Subject: ") for text in texts]


HAM, SPAM = ["lunch", "report"], ["win", "free"]

LAYOUTS = {
    "folders": {"ham/1.txt": mail("lunch"), "ham/2": mail("report"), "spam/1.eml": mail("win"), "spam/2": mail("free")},
    "mbox files": {"ham.mbox": mbox(*HAM), "spam.mbox": mbox(*SPAM)},
    "mbox files in folders": {"ham/2002-08": mbox(*HAM), "spam/a.mbox": mbox("win"), "spam/b.mbox": mbox("free")},
    "mbox without ending": {"Inbox": mbox(*HAM), "Junk": mbox(*SPAM)},
    "Apple Mail": {"Inbox.mbox/mbox": mbox(*HAM), "Junk.mbox/mbox": mbox(*SPAM)},
    "Maildir": {
        "ham/cur/1029.M1P2.host:2,S": mail("lunch"),
        "ham/new/1030.M1P2.host": mail("report"),
        "spam/cur/1031.M1P2.host:2,": mail("win"),
        "spam/cur/1032.M1P2.host,S=99:2,FS": mail("free"),
    },
    "Enron-Spam": {
        "enron1/ham/0001.1999-12-10.farmer.ham.txt": mail("lunch"),
        "enron2/ham/0001.1999-12-10.kaminski.ham.txt": mail("report"),
        "enron1/spam/0006.2003-12-18.GP.spam.txt": mail("win"),
        "enron2/spam/0008.2003-12-18.GP.spam.txt": mail("free"),
    },
    "SpamAssassin": {
        "20030228_easy_ham/easy_ham/00001.7c5": "From a@b Thu Aug 22 12:36:23 2002\n" + mail("lunch"),
        "20030228_hard_ham/hard_ham/00001.7c5": mail("report"),
        "20030228_spam/spam/00001.7c5": mail("win"),
        "20050311_spam_2/spam_2/00001.7c5": mail("free"),
    },
    "TREC 2007": {
        "full/index": "ham ../data/inmail.1\nham ../data/inmail.2\nspam ../data/inmail.3\nspam ../data/inmail.4\n",
        **{f"data/inmail.{n}": mail(word) for n, word in enumerate([*HAM, *SPAM], 1)},
    },
    "TREC 2005": {
        "full/index": "ham ../data/000/000\nspam ../data/000/001\nham ../data/000/002\nspam ../data/000/003\n",
        "ham25/index": "ham ../data/000/000\n",
        "data/000/000": mail("lunch"),
        "data/000/001": mail("win"),
        "data/000/002": mail("report"),
        "data/000/003": mail("free"),
    },
    "Ling-Spam": {
        "bare/part1/3-1msg1.txt": mail("lunch"),
        "bare/part2/3-1msg2.txt": mail("report"),
        "bare/part1/spmsga1.txt": mail("win"),
        "bare/part2/spmsgb9.txt": mail("free"),
    },
    "Kaggle, v1 and v2": {
        "spam.csv": "v1,v2,,,\nham,lunch,,,\nspam,win,,,\nham,report,,,\nspam,free,,,\n".encode("cp1252"),
    },
    "Kaggle, 0 and 1": {"a.csv": "text,label_num\nlunch,0\nwin,1\nreport,0\nfree,1\n"},
    "semicolons": {"a.csv": "sep=;\nCategory;Message\nham;lunch\nspam;win\nham;report\nspam;free\n"},
    "tabs, UTF-16": {"a.tsv": "Label\tText\nham\tlunch\nspam\twin\nham\treport\nspam\tfree\n".encode("utf-16")},
    "subject and body": {
        "enron.csv": "Message ID,Subject,Message,Spam/Ham,Date\n"
        '0,lunch,"at\nnoon",ham,\n1,win,x,spam,\n2,report,x,ham,\n3,free,x,spam,\n'
    },
    "SMS Spam Collection": {
        "SMSSpamCollection": 'ham\tlunch\nspam\twin\nham\treport\nspam\tfree\n',
        "readme": "SMS Spam Collection v.1\n",
    },
}  # fmt: skip


@pytest.mark.parametrize("files", LAYOUTS.values(), ids=LAYOUTS)
def test_every_layout_gives_the_same_messages(own, files, capsys):
    messages = own(files)
    assert subjects(messages, "ham") == HAM
    assert subjects(messages, "spam") == SPAM
    assert capsys.readouterr().out.startswith("Read 4 messages; left out ")


@pytest.mark.parametrize(
    ("files", "at"),
    [
        (LAYOUTS["mbox files"], "ham.mbox"),  # its other half is beside it
        (LAYOUTS["mbox files"], "spam.mbox"),
        (LAYOUTS["TREC 2007"], "full/index"),
        (LAYOUTS["Kaggle, v1 and v2"], "spam.csv"),
        (LAYOUTS["SMS Spam Collection"], "SMSSpamCollection"),
    ],
)
def test_a_file_is_a_source_too(own, files, at):
    messages = own(files, at)
    assert sorted(subjects(messages, "ham")) == HAM and sorted(subjects(messages, "spam")) == sorted(SPAM)


@pytest.mark.parametrize(
    ("for_ham", "for_spam"),
    [
        ("X-Gmail-Labels: Inbox,Opened", "X-Gmail-Labels: Spam,\n Unread"),
        ("X-Spam-Flag: NO", "X-Spam-Flag: YES"),
        ("X-Spam-Status: No, score=-1.2", "X-Spam-Status: Yes, score=9.9"),
        ("X-Bogosity: Ham, tests=bogofilter", "X-Bogosity: Spam, tests=bogofilter"),
    ],
)
def test_an_mbox_may_say_in_its_headers_what_is_spam(own, for_ham, for_spam):
    separator = "From 17@xxx Mon Jan 01 10:00:00 +0000 2024\n"
    messages = own({
        "All mail.mbox": "\n".join(
            [separator + mail("lunch", for_ham), separator + mail("win", for_spam), separator + mail("unknown")]
        )
    }, "All mail.mbox")  # fmt: skip
    assert (subjects(messages, "ham"), subjects(messages, "spam")) == (["lunch"], ["win"])
    assert messages.report.left_out == {"no header that says ham or spam": ["All mail.mbox, message 3"]}


def test_48_mbox_files_of_25_messages_are_1200_messages(own, capsys):
    files = {
        f"{label}/{number:02}.mbox": mbox(*(f"{label} {number} {n}" for n in range(25)))
        for label in ("ham", "spam")
        for number in range(24)
    }
    messages = own(files)
    assert (len(messages), messages.is_spam.sum()) == (1200, 600)
    assert len(set(messages.texts)) == 1200
    assert messages.table["file"][30] == "ham/01.mbox, message 6"
    assert capsys.readouterr().out == "Read 1,200 messages; left out none.\n"


def test_what_is_no_mail_is_left_out_with_its_reason(own, capsys):
    binary = b"\xd0\xcf\x11\xe0" + bytes(range(256))
    messages = own({
        **LAYOUTS["folders"],
        "README": "About", "Summary.txt": "Legitimate: 2", "notes.txt": "x",
        "ham/cmds": "mv 1 2", "spam/cmds": "mv 1 2", "ham/desktop.ini": "[x]", "spam/Thumbs.db": binary,
        "ham/README.md": "x", "ham/index": "1 2", "ham/Inbox.msf": "// mork", "spam/labels.csv": "1,spam",
        "spam/offer.msg": binary, "spam/photo.jpg": b"\xff\xd8\xff\0\0\0\1\2\3", "spam/old.zip": b"PK\x03\x04\0\0",
        "ham/.DS_Store": binary, "ham/empty": "", "spam/blank": "\n \n",
    })  # fmt: skip
    assert len(messages) == 4
    assert messages.report.left_out == {
        "a file of the operating system": ["ham/desktop.ini", "spam/Thumbs.db"],
        "hidden": ["ham/.DS_Store"],
        "empty": ["ham/empty"],
        "a description of the corpus, not a message": ["README", "Summary.txt", "ham/README.md"],
        "a list of commands that came with the corpus": ["ham/cmds", "spam/cmds"],
        "an index of a mail program or a corpus": ["ham/Inbox.msf", "ham/index"],
        "outside of what is named ham and spam": ["notes.txt"],
        "not mail by its name": ["spam/labels.csv"],
        "a format of Outlook: save it as .eml or mbox": ["spam/offer.msg"],
        "an archive: unpack it": ["spam/old.zip"],
        "no text in it": ["spam/blank"],
        "binary data, not a message": ["spam/photo.jpg"],
    }
    assert "Read 4 messages; left out 17, because:" in capsys.readouterr().out


def test_a_maildirs_tmp_and_the_files_of_its_server_are_left_out(own):
    messages = own({
        **LAYOUTS["Maildir"],
        "ham/tmp/1033.M1P2.host": mail("half a mail"), "ham/dovecot-uidlist": "3 V1", "ham/maildirfolder": "x",
    })  # fmt: skip
    assert messages.report.left_out == {
        "an index of a mail program or a corpus": ["ham/dovecot-uidlist", "ham/maildirfolder"],
        "not yet delivered (in tmp of a Maildir)": ["ham/tmp/1033.M1P2.host"],
    }


def test_an_index_that_is_not_true_is_reported(own):
    files = LAYOUTS["TREC 2007"]
    index = files["full/index"] + "spam ../data/inmail.5\nspam ../../../../../../etc/hostname\n"
    messages = own({**files, "full/index": index, "data/inmail.9": mail("not named")})
    assert len(messages) == 4
    assert messages.report.left_out == {
        "in the index, but missing": ["../data/inmail.5"],
        "a link that leads out of the folder": ["../../../../../../etc/hostname"],
        "not in the index": ["data/inmail.9"],
        "an index of a mail program or a corpus": ["full/index"],
    }


def test_rows_of_a_table_without_a_label_or_a_text_are_named_by_their_line(own):
    messages = own({"a.csv": 'label,text\nham,"two\nlines"\nmaybe,x\nspam,\n,x\nspam,win\n\nham\n'})
    assert messages.texts == ["two\nlines", "win"]
    assert messages.table["file"].tolist() == ["a.csv, line 3", "a.csv, line 7"]
    assert (
        messages.report.left_out
        == {
            "its label is neither ham nor spam": ["a.csv, line 4"],
            "no text in it": ["a.csv, line 5", "a.csv, line 8"],
            "no label": ["a.csv, line 6"],
        }
        or messages.report.left_out["no label"]
    )


def test_texts_of_tables_may_be_windows_1252_html_or_whole_mails(own):
    rows = [
        "Label,Body",
        "spam,£100 – “free”",
        "ham,<html><p>Hello <b>you</b></html>",
        f'ham,"{mail("lunch")}"',
    ]
    messages = own({"a.csv": "\n".join(rows).encode("cp1252")})
    assert messages.texts == ["Hello you", "Subject: lunch\n\nlunch in the text", "£100 – “free”"]


LING = {"part1/spmsga1.txt": "x", "part1/3-1msg1.txt": "y"}
REFUSED = {
    "one class": (
        {"inbox/1": mail("x"), "old/2": mail("x")},
        "has ham, but no message in a folder .* named spam",
    ),
    "no layout": (
        {"a/1.txt": "x", "b/2.txt": "x"},
        r"no mail in a layout .* 2 files \(2 with .txt\), in a, b",
    ),
    "no texts": ({"data.csv": "x,y\n1,2\n"}, r"1 files \(1 with .csv\). Known are: the index of a TREC"),
    "archive": ({"mail.tar.gz": b"\x1f\x8b\x08"}, "1 with .gz"),
    "folders and a table": (
        {**LAYOUTS["folders"], **LAYOUTS["Kaggle, 0 and 1"]},
        "read in 2 ways, as folders or mbox",
    ),
    "folders and mbox": (
        {**LAYOUTS["folders"], **LAYOUTS["mbox files"]},
        "ham and ham.mbox in .* the same mail twice",
    ),
    "folders and an index": (
        {**LAYOUTS["folders"], **LAYOUTS["TREC 2007"]},
        "read in 2 ways, as the index of a TREC",
    ),
    "versions": (
        {f"{v}/{n}": LING[n] for v in ("bare", "lemm") for n in LING},
        "same mail in 2 versions: bare, lemm",
    ),
    "tables": (
        {**LAYOUTS["Kaggle, 0 and 1"], "b.csv": "text,label\nx,ham\n"},
        "2 tables of messages: a.csv, b.csv",
    ),
}


@pytest.mark.parametrize(("files", "said"), REFUSED.values(), ids=REFUSED)
def test_what_fits_no_layout_or_several_is_refused(own, files, said):
    with pytest.raises(K2CError, match=said):
        own(files)


def test_repeated_texts_are_said(own):
    messages = own(
        {"ham/1": mail("lunch"), "ham/2": mail("lunch"), "spam/1": mail("lunch"), "spam/2": mail("win")}
    )
    assert messages.report.notes == [
        "2 of them repeat the text of another one.",
        "1 text is in ham and in spam.",
    ]


def test_links_that_lead_out_pipes_and_loops_are_left_out(own, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("password")
    own(LAYOUTS["folders"])
    (own.folder / "spam" / "file").symlink_to(tmp_path / "elsewhere" / "secret")
    (own.folder / "spam" / "folder").symlink_to(tmp_path / "elsewhere")
    (own.folder / "spam" / "loop").symlink_to(own.folder)
    os.mkfifo(own.folder / "ham" / "pipe")
    messages = own({})
    assert len(messages) == 4 and "password" not in " ".join(messages.texts)
    assert messages.report.left_out == {
        "a link that leads out of the folder": ["spam/folder/", "spam/file"],
        "a link to a folder in the same folder": ["spam/loop/"],
        "not an ordinary file": ["ham/pipe"],
    }


def test_a_class_that_is_a_link_elsewhere_is_not_searched(own, tmp_path):
    own(LAYOUTS["folders"])
    shutil.move(own.folder / "spam", tmp_path / "elsewhere")
    (own.folder / "spam").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(K2CError, match=r"(?s)has ham, but .*a link that leads out of the folder \(spam/\)"):
        own({})


def test_a_source_that_is_neither_file_nor_folder_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(K2CError, match="not an ordinary file or folder"):
        load_spam(tmp_path / "pipe")


@pytest.mark.realdata
def test_the_real_sms_collection_as_ones_own_file():
    if "K2C_REALDATA" not in os.environ:
        pytest.skip("K2C_REALDATA names no folder of real data")
    folder = Path(os.environ["K2C_REALDATA"]) / "spam"
    for source in (folder, folder / "SMSSpamCollection"):
        messages = load_spam(source)
        assert (len(messages), messages.is_spam.sum(), len(messages.report)) == (5574, 747, 0)
        assert messages.report.notes[0] == "414 of them repeat the text of another one."
