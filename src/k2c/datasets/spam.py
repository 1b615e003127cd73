"""Messages, ham and spam: the corpus of this kit, the SMS Spam Collection, or a folder of mail."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from k2c.datasets.charsets import is_utf16
from k2c.datasets.fetching import fetch
from k2c.datasets.mail import Mail, parse_mail
from k2c.errors import K2CError

LABELS = ("ham", "spam")
MAX_BYTES = 1 << 24  # read of one file; the rest can only be attachments

# Bytes that no text has (escape begins a switch of alphabet in Japanese mail).
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")


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
        N rows with what else is known of a message. Shipped corpus: `kind`, `topic`, `hard`. Folder: `file`,
        `attachments` (a list of `type name`).
    skipped
        Files of a folder that could not be read, each with the reason.
    """

    texts: list[str]
    is_spam: np.ndarray
    table: pd.DataFrame
    skipped: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        spam = int(self.is_spam.sum())
        skipped = f"; {len(self.skipped):,} files skipped" if self.skipped else ""
        return f"Messages({len(self):,}; ham: {len(self) - spam:,}, spam: {spam:,}{skipped})"

    def subset(self, indices: Sequence[int] | slice | np.ndarray) -> "Messages":
        """Return the messages at `indices` (a slice, integers or a mask), in that order."""
        rows = np.arange(len(self))[indices]
        table = self.table.iloc[rows].reset_index(drop=True)
        return Messages([self.texts[row] for row in rows], self.is_spam[rows], table, self.skipped)

    def split(self, test_fraction: float = 0.25, seed: int = 0) -> tuple["Messages", "Messages"]:
        """Return a training and a test part with the same share of spam, drawn at random.

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
        messages dropped. Anything else is a folder with `ham/` and `spam/` below it, one raw message a file.

    Raises
    ------
    FetchError
        When the SMS Spam Collection is neither cached nor to be had.
    K2CError
        When there is no such folder, or no message in it.

    References
    ----------
    Almeida, Gómez Hidalgo, Yamakami: Contributions to the study of SMS spam filtering (2011).
    """
    if source == "shipped":
        return _read_jsonl(fetch("spam"))
    if source == "sms":
        return read_sms(fetch("sms-spam")).without_duplicates()
    return _read_folder(Path(source).expanduser())


def read_sms(path: Path) -> Messages:
    """Read a file in the format of the SMS Spam Collection: a line a message, its label, a tab, its text."""
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


def _read_folder(folder: Path) -> Messages:
    if not folder.is_dir():
        raise K2CError(
            f'source="{folder}" is neither "shipped" nor "sms", and there is no folder of that name. '
            "A folder of mail has the folders ham and spam below it, one raw message a file."
        )
    absent = [label for label in LABELS if not (folder / label).is_dir()]
    if absent:
        raise K2CError(
            f"{folder} has no folder {' and no folder '.join(absent)}: put one raw message a file there."
        )
    paths = [(label, path) for label in LABELS for path in _files(folder / label)]
    rows, skipped = [], []
    for label, path in tqdm(paths, desc=f"reading {folder.name}", unit="file", leave=False, delay=1.0):
        name = path.relative_to(folder).as_posix()
        try:
            mail = _read_mail(path)
            rows.append((mail.text, label, name, mail.attachments))
        except (OSError, ValueError) as error:
            skipped.append(f"{name}: {getattr(error, 'strerror', None) or error}")
    if not rows:
        raise K2CError(f"{folder} holds no readable message ({len(paths)} files looked at).")
    texts, labels, names, attachments = (list(column) for column in zip(*rows, strict=True))
    table = pd.DataFrame({"file": names, "attachments": attachments})
    return Messages(texts, _is_spam(labels, folder), table, skipped)


def _files(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder in a fixed order, but for hidden ones."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _read_mail(path: Path) -> Mail:
    if not path.is_file():  # a pipe would wait for ever
        raise ValueError("not an ordinary file")
    with path.open("rb") as file:
        raw = file.read(MAX_BYTES)
    if sum(byte in _CONTROL for byte in raw[:4096]) > len(raw[:4096]) / 20 and not is_utf16(raw):
        raise ValueError("binary data, not a message")
    mail = parse_mail(raw)
    if not mail.text and not mail.attachments:
        raise ValueError("no text in it")
    return mail
