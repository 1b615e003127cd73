"""Messages, ham and spam: the corpus of this kit, the SMS Spam Collection, or one's own mail."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from k2c._system.load_report import LoadReport
from k2c._system.printable import printable
from k2c.datasets.fetching import fetch
from k2c.datasets.mail_files import no_mail
from k2c.datasets.own_folder import files_below
from k2c.datasets.spam_layouts import Place, Row, class_in, find_layout
from k2c.datasets.spam_tables import is_table
from k2c.errors import K2CError

LABELS = ("ham", "spam")


@dataclass(frozen=True, eq=False)
class Messages:
    """Messages, row by row with their labels.

    Attributes
    ----------
    texts
        N messages. One with a subject starts with `Subject: ...` and an empty line.
    is_spam
        bool (N,).
    table
        N rows with what else is known of a message. Shipped corpus: `kind`, `topic`, `hard`. One's own: `file`,
        `attachments` (a list of `type name`).
    report
        What was read and left out of a folder or a file of one's own, by reason.
    """

    texts: list[str]
    is_spam: np.ndarray
    table: pd.DataFrame
    report: LoadReport = field(default_factory=lambda: LoadReport("messages"))

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        spam = int(self.is_spam.sum())
        left_out = f"; {len(self.report):,} left out" if len(self.report) else ""
        return f"Messages({len(self):,}; ham: {len(self) - spam:,}, spam: {spam:,}{left_out})"

    def subset(self, indices: Sequence[int] | slice | np.ndarray) -> "Messages":
        """Return the messages at `indices` (a slice, integers or a mask), in that order."""
        rows = np.arange(len(self))[indices]
        table = self.table.iloc[rows].reset_index(drop=True)
        return Messages([self.texts[row] for row in rows], self.is_spam[rows], table, self.report)

    def split(self, test_fraction: float = 0.25, seed: int = 0) -> tuple["Messages", "Messages"]:
        """Return a training and a test part with the same fraction of spam, drawn at random.

        Raises
        ------
        K2CError
            When `test_fraction` is not between 0 and 1, or a part would lack ham or spam.
        """
        # Not at the top: scikit-learn takes a second to import, and reading messages does not need it.
        from sklearn.model_selection import train_test_split

        if not 0 < test_fraction < 1:
            raise K2CError(f"test_fraction={test_fraction} must lie between 0 and 1, such as 0.25.")
        rows = np.arange(len(self))
        try:
            train, test = train_test_split(
                rows, test_size=test_fraction, random_state=seed, stratify=self.is_spam
            )
        except ValueError as error:
            raise K2CError(
                f"{self!r} is too small to split with test_fraction={test_fraction}: {error}"
            ) from error
        return self.subset(np.sort(train)), self.subset(np.sort(test))

    def without_duplicates(self) -> "Messages":
        """Return the first of each group of messages with the same text."""
        return self.subset(~pd.Series(self.texts, dtype=object).duplicated().to_numpy())


def load_spam(source: str | os.PathLike[str] = "shipped") -> Messages:
    """Load labelled messages.

    Parameters
    ----------
    source
        `"shipped"`: the corpus of this kit. `"sms"`: the SMS Spam Collection, downloaded once, repeated
        messages dropped. Anything else is a folder or a file of one's own, in one of the layouts of
        `k2c.datasets.spam_layouts`: `ham/` and `spam/` with one message per file, mbox files or Maildirs, as Enron-Spam
        and SpamAssassin have them; mbox files `ham.mbox` and `spam.mbox`; TREC's index; Ling-Spam; a table (CSV)
        of texts and labels; an mbox whose messages say in their headers what they are.

    Notes
    -----
    Of one's own mail, what was read and what was left out, with the reasons, is shown, and kept as `report`.

    Raises
    ------
    FetchError
        When the SMS Spam Collection is neither cached nor to be had.
    K2CError
        When there is no such folder or file, no message in it, or no layout that fits, or more than one.

    References
    ----------
    Almeida, Gómez Hidalgo, Yamakami: Contributions to the study of SMS spam filtering (2011).
    """
    if source == "shipped":
        return _read_jsonl(fetch("spam"))
    if source == "sms":
        return read_sms(fetch("sms-spam")).without_duplicates()
    return _read_own(Path(source).expanduser())


def read_sms(path: Path) -> Messages:
    """Read a file in the format of the SMS Spam Collection: a line per message: its label, a tab, its text."""
    rows = [line.partition("\t") for line in path.read_bytes().decode("utf-8").split("\n") if line.strip()]
    texts = [text.rstrip("\r") for _, _, text in rows]
    return Messages(
        texts, _is_spam([label for label, _, _ in rows], path), pd.DataFrame(index=range(len(rows)))
    )


def _read_jsonl(path: Path) -> Messages:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        table = pd.DataFrame(rows)
        texts, labels = table.pop("text").tolist(), table.pop("label").tolist()
    except (ValueError, KeyError) as error:
        raise K2CError(
            f"{path} must hold a JSON object with 'label' and 'text' on each line: {error}."
        ) from error
    return Messages(texts, _is_spam(labels, path), table)


def _is_spam(labels: list[str], path: Path) -> np.ndarray:
    for number, label in enumerate(labels, start=1):
        if label not in LABELS:
            raise K2CError(f"{path}, message {number}: the label is '{label}', but it must be ham or spam.")
    return np.array([label == "spam" for label in labels], dtype=bool)


def _read_own(source: Path) -> Messages:
    place = _place_of(source)
    try:
        layout, claimed = find_layout(place)
    except K2CError as error:
        raise K2CError(f"{error}\n{place.report}" if place.report.left_out else str(error)) from None
    for path in place.files:
        if path not in claimed:
            place.report.leave_out(place.name(path), no_mail(path) or layout.unclaimed)
    rows: list[Row] = []
    for path in tqdm(sorted(claimed), desc=f"reading {source.name}", unit="file", leave=False, delay=1.0):
        rows += layout.rows(path, claimed[path], place)
    place.report.read = len(rows)
    if not rows:
        raise K2CError(f"{source} holds no readable message.\n{place.report}")
    if len(labels := {row[0] for row in rows}) < 2:
        other = "spam" if "ham" in labels else "ham"
        raise K2CError(
            f"{printable(source)} has {len(rows):,} messages, but none of {other}.\n{place.report}"
        )
    rows.sort(key=lambda row: row[0] != "ham")  # stable: first ham, then spam, as the files are sorted
    marks, names, mails = (list(column) for column in zip(*rows, strict=True))
    table = pd.DataFrame({"file": names, "attachments": [mail.attachments for mail in mails]})
    messages = Messages([mail.text for mail in mails], _is_spam(marks, source), table, place.report)
    _note_repeats(messages)
    place.report.announce()
    return messages


def _place_of(source: Path) -> Place:
    report = LoadReport("messages")
    if source.is_dir():
        return Place(source.resolve(), files_below(source.resolve(), report), report)
    if not source.exists():
        raise K2CError(
            f'source="{printable(source)}" is neither "shipped" nor "sms", and no file or folder has that name. '
            "A folder of mail has ham and spam below it, as folders or as mbox files."
        )
    if not source.is_file():
        raise K2CError(f"{printable(source)} is not an ordinary file or folder.")
    files = [source.resolve()]
    if label := class_in(source.stem):
        # ham.mbox without spam.mbox would be half of the mail.
        others = [
            path
            for path in sorted(files[0].parent.iterdir())
            if path.suffix == source.suffix and path.is_file()
        ]
        partners = [path for path in others if class_in(path.stem) not in (None, label)]
        if len(partners) == 1 and not is_table(files[0]):
            files += partners
            report.note(f"{partners[0].name} beside {files[0].name} was read, too.")
    return Place(files[0].parent, files, report)


def _note_repeats(messages: Messages) -> None:
    texts = pd.Series(messages.texts, dtype=object)
    if repeated := int(texts.duplicated().sum()):
        messages.report.note(
            f"{repeated:,} of them {'repeat' if repeated > 1 else 'repeats'} the text of another one."
        )
    if both := len(set(texts[messages.is_spam]) & set(texts[~messages.is_spam])):
        messages.report.note(f"{both:,} {'texts are' if both > 1 else 'text is'} in ham and in spam.")
