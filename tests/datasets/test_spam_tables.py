"""Tables of messages as people have them: nothing of one is lost in silence, and no label is guessed."""

import pytest

from k2c.datasets.spam import load_spam
from k2c.errors import K2CError

ROWS = [("spam" if number % 2 else "ham", f"message number {number}") for number in range(20)]


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a table of this content."""

    def read(content, name="mail.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_spam(tmp_path / name)

    return read


def table(separator=",", header="label,text", **words):
    lines = [header.replace(",", separator)]
    return "\n".join(lines + [f"{words.get(label, label)}{separator}{text}" for label, text in ROWS]) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        table(),
        "sep=;\n" + table(";"),
        "sep=\t\n" + table("\t"),
        "# from the web\n#, and mended\n" + table(),
        "\n\n" + table(),
        table("|"),
        table(header="spam,text", spam="yes", ham="no"),
        table(spam="1", ham="0"),
        table(spam="True", ham="False"),
        table().encode("utf-16"),
        table().replace("\n", "\r"),
    ],
    ids=[
        "plain",
        "sep=;",
        "sep=tab",
        "comments",
        "blank",
        "bar",
        "yes/no",
        "1/0",
        "true/false",
        "utf-16",
        "cr",
    ],
)
def test_a_table_is_read_as_spreadsheets_and_people_write_it(load, content):
    messages = load(content)
    assert messages.is_spam.sum() == 10
    assert sorted(messages.texts) == sorted(text for _, text in ROWS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            table().replace("message number 5\n", '"message number 5\n'),
            "the text has 14 more rows in it. A quotation",
        ),
        (
            "label,text\n" + "".join(f'{label},"{text}"\n' for label, text in ROWS).replace('r 7"', "r 7"),
            "the text has 1 more rows in it",
        ),
        (
            table(spam="2", ham="1"),
            "the label is 2. Numbers mean ham and spam only as 0 and 1; write the words.",
        ),
        (table(spam="ham"), "has 20 messages, but none of spam."),
        (
            table(ham="kein spam"),
            "has 10 messages, but none of ham.\nRead 10 messages; left out 10, because: its label",
        ),
    ],
    ids=[
        "a quotation mark is never closed",
        "one in the middle",
        "1 and 2",
        "only ham",
        "words of another language",
    ],
)
def test_a_table_that_would_be_misread_is_refused(load, content, said):
    with pytest.raises(K2CError) as caught:
        load(content)
    assert said in str(caught.value)


def test_a_long_text_with_lines_and_numbers_is_one_message(load):
    text = '"A list:\n1, one\nso, it ends ""here"",\nham is not spam"'
    assert len(load(table() + f"ham,{text}\n").texts) == 21


def test_an_index_that_contradicts_itself_is_refused_and_backslashes_are_separators(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / f"data/inmail.{number}").write_text(f"Subject: {number}\n\nmessage {number}\n")
    lines = [f"{'Spam' if number % 2 else 'HAM'} ..\\data\\inmail.{number}" for number in range(4)]
    (tmp_path / "full/index").write_text("\r\n".join(lines))
    assert load_spam(tmp_path).is_spam.tolist() == [False, False, True, True]
    (tmp_path / "full/index").write_text("\n".join([*lines, "spam ../data/inmail.0"]))
    with pytest.raises(K2CError, match=r"full/index calls \.\./data/inmail\.0 both ham and spam"):
        load_spam(tmp_path)


def test_an_mbox_of_an_old_mac_has_its_messages(tmp_path):
    for label in ("ham", "spam"):
        message = f"From a@b.c Mon Jan  1 00:00:00 2024\rFrom: a@b.c\rSubject: {label}\r\rhello\r\r"
        (tmp_path / f"{label}.mbox").write_text(message * 5, newline="")
    assert load_spam(tmp_path).is_spam.sum() == 5
