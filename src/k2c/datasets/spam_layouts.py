"""The layouts in which labelled mail is published, and which of them a folder or a file of one's own has."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from k2c._system.load_report import LoadReport
from k2c._system.printable import printable
from k2c.datasets.charsets import decode
from k2c.datasets.mail import Mail
from k2c.datasets.mail_files import is_mbox, no_mail, read_messages
from k2c.datasets.own_folder import OUTSIDE
from k2c.datasets.spam_tables import is_table, read_table
from k2c.errors import K2CError

Row = tuple[str, str, Mail]
"""Label, name and content of a message."""

_CLASS = {
    **dict.fromkeys(("ham", "nonspam", "legit", "legitimate", "inbox"), "ham"),
    **dict.fromkeys(("spam", "junk"), "spam"),
}
# Words beside the class in names of folders and files: `20030228_easy_ham_2`, `spam-train`, `ham.mbox`.
_BESIDE = {"easy", "hard", "train", "test", "mbox", "mbx", "mail", "mails", "txt", "folder"}


@dataclass(frozen=True)
class Place:
    """A folder that is searched, or the folder of a file that is read; and the files there."""

    root: Path
    files: list[Path]
    report: LoadReport

    def name(self, path: Path) -> str:
        """Return how a file is called in messages and in the table."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)


@dataclass(frozen=True)
class Layout:
    """A way to publish labelled mail.

    Attributes
    ----------
    name
        What it looks like, for sentences.
    claim
        Returns the files that belong to it, each with its label (`""` where the file itself has labels).
    unclaimed
        Why other files of the place are left out.
    """

    name: str
    claim: Callable[[Place], dict[Path, str]]
    unclaimed: str

    def rows(self, path: Path, label: str, place: Place) -> Iterator[Row]:
        """Yield the messages of a file that the layout claims."""
        for name, _, mail in read_messages(path, place.name(path), place.report):
            yield label, name, mail


class Table(Layout):
    """Texts and labels in one file."""

    def rows(self, path: Path, label: str, place: Place) -> Iterator[Row]:
        """Yield the rows of the table."""
        return read_table(path, place.name(path), place.report)


class Marked(Layout):
    """Messages with their label in the header."""

    def rows(self, path: Path, label: str, place: Place) -> Iterator[Row]:
        """Yield the messages that have one."""
        for name, raw, mail in read_messages(path, place.name(path), place.report):
            if mark := _mark(raw):
                yield mark, name, mail
            else:
                place.report.leave_out(name, "no header that says ham or spam")


def class_in(name: str) -> str | None:
    """Return ham or spam where a folder or a file is named by its class, else None."""
    plain = re.sub(r"(not|non|no)[ _.-]?spam", "ham", name.lower())
    words = re.findall(r"[a-z]+", plain)
    classes = {_CLASS[word] for word in words if word in _CLASS}
    others = [word for word in words if word not in _CLASS and word not in _BESIDE]
    return classes.pop() if len(classes) == 1 and not others else None


def _by_name(place: Place) -> dict[Path, str]:
    """Files in folders named ham and spam, or that are named so themselves; the innermost name counts."""
    claimed: dict[Path, str] = {}
    named: dict[tuple[Path, str], Path] = {}
    for path in place.files:
        parts = path.relative_to(place.root).parts
        depth = _class_depth(parts)
        if depth is None or no_mail(path):
            continue
        label = class_in(parts[depth]) or ""
        claimed[path] = label
        holder = place.root.joinpath(*parts[: depth + 1])
        other = named.setdefault((holder.parent, re.sub(r"\.mbo?x$|\.txt$", "", holder.name.lower())), holder)
        if other != holder:
            raise K2CError(
                f"{place.name(other)} and {place.name(holder)} in {place.root} may hold the same mail twice. "
                "Move one of them away."
            )
    return claimed


def _class_depth(parts: tuple[str, ...]) -> int | None:
    """Return which part of a path names a class: the innermost such folder, else a file that is a whole mailbox."""
    *folders, file = parts
    for depth in reversed(range(len(folders))):
        if class_in(folders[depth]):
            return depth
    whole = re.fullmatch(r"[^.]+(\.mbo?x|\.txt)?", file)
    return len(folders) if whole and class_in(file) else None


def _by_index(place: Place) -> dict[Path, str]:
    """TREC: a file `index` whose lines are `spam ../data/inmail.1`."""
    found = [path for path in place.files if path.name == "index" and _index_lines(path, most=1)]
    full = [path for path in found if path.parent.name == "full"] or found
    if not full:
        return {}
    if len(full) > 1:
        names = ", ".join(map(place.name, full))
        raise K2CError(f"{place.root} has more than one index: {names}. Name the one to read.")
    index = full[0]
    claimed: dict[Path, str] = {}
    root = index.parent.parent.resolve()
    for label, name in _index_lines(index):
        path = (index.parent / name.replace("\\", "/")).resolve()
        if not path.is_relative_to(root):
            place.report.leave_out(name, OUTSIDE)
        elif not path.is_file():
            place.report.leave_out(name, "in the index, but missing")
        elif claimed.setdefault(path, _CLASS[label]) != _CLASS[label]:
            raise K2CError(
                f"{printable(place.name(index))} calls {printable(name)} both ham and spam. Keep one line."
            )
    return claimed


def _index_lines(index: Path, most: int | None = None) -> list[tuple[str, str]]:
    try:
        with index.open("rb") as file:
            lines = file.readlines(4096) if most else file.readlines()
    except OSError:
        return []
    split = (decode(line).split(maxsplit=1) for line in lines[:most])
    return [
        (words[0].lower(), words[1].strip())
        for words in split
        if len(words) == 2 and words[0].lower() in _CLASS
    ]


def _ling_spam(place: Place) -> dict[Path, str]:
    """Ling-Spam and PU: `part1/spmsga1.txt` is spam, `part1/3-1msg1.txt` or `part1/1legit1.txt` is ham."""
    claimed = {}
    for path in place.files:
        if re.fullmatch(r"part\d+", path.parent.name):
            claimed[path] = "spam" if "spmsg" in path.name else "ham"
    versions = sorted({path.parent.parent for path in claimed})
    if "spam" in claimed.values() and len(versions) > 1:
        names = ", ".join(map(place.name, versions))
        raise K2CError(
            f"{place.root} has the same mail in {len(versions)} versions: {names}. Name one of them."
        )
    return claimed


def _tables(place: Place) -> dict[Path, str]:
    # What lies in a folder of a class is about the messages there.
    free = [path for path in place.files if not any(map(class_in, path.relative_to(place.root).parts[:-1]))]
    tables = [path for path in free if is_table(path)]
    if len(tables) > 1:
        names = ", ".join(map(place.name, tables))
        raise K2CError(f"{place.root} has {len(tables)} tables of messages: {names}. Name the one to read.")
    return dict.fromkeys(tables, "")


def _marked(place: Place) -> dict[Path, str]:
    """Messages of an mbox that say in their headers what they are, as Gmail's and those of SpamAssassin."""
    claimed = {}
    for path in place.files:
        with suppress(OSError), path.open("rb") as file:
            if is_mbox(file.read(4096)):
                claimed[path] = ""
    marks = {
        _mark(raw) for path in claimed for _, raw, _ in read_messages(path, path.name, LoadReport("messages"))
    }
    return claimed if {"ham", "spam"} <= marks else {}


_MARKS = re.compile(
    rb"^(x-gmail-labels|x-spam-flag|x-spam-status|x-bogosity):[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)


def _mark(raw: bytes) -> str | None:
    header = re.split(rb"\r?\n\r?\n", raw[: 1 << 16], maxsplit=1)[0]
    for name, value in _MARKS.findall(header):
        if name.lower() == b"x-gmail-labels":
            return "spam" if b"spam" in value.lower() else "ham"
        if found := re.match(rb"(yes|no|spam|ham)\b", value, re.IGNORECASE):
            return "spam" if found[1].lower() in (b"yes", b"spam") else "ham"
    return None


LAYOUTS = (
    Layout("the index of a TREC corpus (full/index)", _by_index, "not in the index"),
    Layout(
        "folders or mbox files named ham and spam, or easy_ham, spam_2, enron1/ham ... (single files, mbox, Maildir)",
        _by_name,
        "outside of what is named ham and spam",
    ),
    Layout("Ling-Spam (part1/spmsg*.txt)", _ling_spam, "outside of the parts of Ling-Spam"),
    Table(
        "a table with a column of texts and one of labels (CSV as on Kaggle, the file of the SMS Spam Collection)",
        _tables,
        "beside the table of messages",
    ),
    Marked(
        "an mbox with X-Spam-Flag, X-Spam-Status, X-Bogosity or X-Gmail-Labels in its messages",
        _marked,
        "not an mbox",
    ),
)


def find_layout(place: Place) -> tuple[Layout, dict[Path, str]]:
    """Return the layout of a place, and the files that belong to it with their labels.

    Raises
    ------
    K2CError
        When there is none, or more than one.
    """
    fitting: list[tuple[Layout, dict[Path, str]]] = []
    files, seen = place.files, set[str]()
    for layout in LAYOUTS[:-1]:
        claimed = layout.claim(replace(place, files=files))
        labels = set(claimed.values())
        if labels in ({"ham", "spam"}, {""}):
            fitting.append((layout, claimed))
            files = [path for path in files if path not in claimed]
        seen |= labels
    if not fitting and (claimed := LAYOUTS[-1].claim(place)):
        fitting.append((LAYOUTS[-1], claimed))
    if not fitting:
        raise K2CError(_no_layout(place, seen - {""}))
    if len(fitting) > 1:
        ways = " and as ".join(
            f"{layout.name}: {place.name(min(claimed))} ..." for layout, claimed in fitting
        )
        raise K2CError(
            f"{place.root} can be read in {len(fitting)} ways, as {ways}. The same mail may be in both. "
            "Name the file or the folder of one of them, or move the other away."
        )
    return fitting[0]


def _no_layout(place: Place, seen: set[str]) -> str:
    known = "; ".join(layout.name for layout in LAYOUTS)
    if len(seen) == 1:
        other = "ham" if "spam" in seen else "spam"
        what = f"has {seen.pop()}, but no message in a folder or an mbox file that is named {other}"
    else:
        what = "has no mail in a layout that is known"
    folders = sorted({place.name(path.parent) for path in place.files} - {"."})
    endings = Counter(path.suffix.lower() or "no ending" for path in place.files)
    found = ", ".join(f"{count:,} with {ending}" for ending, count in endings.most_common(4))
    where = f", in {', '.join(folders[:5])}{', ...' if len(folders) > 5 else ''}" if folders else ""
    return printable(
        f"{place.root} {what}. Found: {len(place.files):,} files ({found or 'none'}){where}. Known are: {known}."
    )
