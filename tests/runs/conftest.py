"""What the tests of runs share."""

import copy
import csv
import io
import zipfile
from pathlib import Path
from random import Random

import nbformat
import psutil
import pytest
import yaml


@pytest.fixture
def is_alive():
    """Return a function that tells whether a process still runs, given its number."""

    def tell(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return tell


@pytest.fixture(scope="session")
def make_class():
    return _make_class


def _make_class(
    folder: Path, course: Path, lecture: str, students: int, late: int, odd: int
) -> tuple[Path, Path]:
    """Make up a class: Moodle's zip of submissions and its grading worksheet, with five who have handed in nothing.

    Of the answers, two thirds are right, some are a likely mistake of the course's, some are holes; each second of six
    has copied from the one before. The first `odd` files are such as editors and students make.
    """
    stub = nbformat.read(course / f"notebooks/{lecture}.ipynb", as_version=4)
    entries = yaml.safe_load((course / f"course/solutions/{lecture}.yml").read_text(encoding="utf-8"))
    random, rows, chosen, own = Random(7), [], [], 0
    with zipfile.ZipFile(folder / "class.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(students + 5):
            name = f"{FIRST[number % len(FIRST)]} {LAST[number // len(FIRST) % len(LAST)]}{number}"
            place, handed_in = f"{name}_{5000 + number}_assignsubmission_file_", number < students
            copied = number in range(odd + 1, odd + 13, 2)
            if not copied:
                chosen, own = [_answer(entry, random) for entry in entries.values()], random.randrange(10**6)
            content = _handed_in(stub, chosen, own, "mine" if copied else "own")
            files = ODD[number](content) if number < odd else {"work.ipynb": content}
            for file, text in files.items() if handed_in else ():
                archive.writestr(f"{place}/{file}", text)
            status = "Submitted for grading" if handed_in else "No submission"
            status += (
                f" - {1 + number % 3} days {number % 24} hours late"
                if students - late <= number < students
                else ""
            )
            rows.append([f"Participant {5000 + number}", name, f"s{number}@uni.example", status, "", "100.00",
                         "Yes", "-", "-", ""])  # fmt: skip
    with (folder / "Grades.csv").open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([WORKSHEET, *rows])
    return folder / "class.zip", folder / "Grades.csv"


WORKSHEET = ["Identifier", "Full name", "Email address", "Status", "Grade", "Maximum Grade", "Grade can be changed",
             "Last modified (submission)", "Last modified (grade)", "Feedback comments"]  # fmt: skip
FIRST = [
    "Ada",
    "Blaise",
    "Chen",
    "Dilek",
    "Emmy",
    "Farid",
    "Grace",
    "Hòa",
    "Iñaki",
    "Jürgen",
    "Katya",
    "Łucja",
]
LAST = ["Lovelace", "Noether", "O'Hara", "Pascal", "Quispe", "Ramanujan", "Sato", "Turing", "Ueda", "Villani"]
ODD = [
    lambda text: {"work.ipynb": "\ufeff".encode() + text.encode()},
    lambda text: {"work.ipynb": text.encode("utf-16")},
    lambda text: {"work.ipynb": text.replace('"nbformat_minor": 5', '"nbformat_minor": 2')},
    lambda text: {"work.ipynb": nbformat.writes(nbformat.convert(nbformat.reads(text, 4), 3), version=3)},
    lambda text: {"all.zip": _zip({"in.zip": _zip({"work.ipynb": text})})},
    lambda text: {
        "work.ipynb": text,
        "draft.ipynb": text.replace("open_lecture", "closed"),
        "notes.txt": "Hi",
    },
    lambda text: {"work.ipynb": text, ".ipynb_checkpoints/work.ipynb": text, "helper.py": "x = 1\n"},
    lambda text: {"essay.pdf": "%PDF-1.4"},
    lambda text: {"work.ipynb": text[:1000]},
    lambda text: {"work.ipynb": ""},
]


def _answer(entry: dict, random: Random) -> str | None:
    """Return an exercise's solution, one with a likely mistake in it, or None for the hole."""
    kind, mistakes = random.random(), entry.get("mistakes", [])
    mistake = random.choice(mistakes) if mistakes else {"part": "+", "written": "-"}
    wrong = entry["solution"].replace(mistake["part"], mistake["written"])
    return entry["solution"] if kind < 0.66 else wrong if kind < 0.88 else None


def _handed_in(stub, answers, own: int, word: str) -> str:
    """Return a notebook's text: the stub with the answers, the first with lines of the student's own in it."""
    notebook = copy.deepcopy(stub)
    cells = [cell for cell in notebook.cells if "exercise" in cell.metadata.get("tags", [])]
    for cell, answer in zip(cells, answers, strict=True):
        cell.source = answer or cell.source
    a, b, c = own % 10, own % 7 + 2, own % 5 + 1
    cells[0].source += (
        f"\n\n\ndef {word}_check(values):\n    # {word}\n    {word} = [v ** {a} for v in values if v % {b} > {c}]\n"
        f"    return sum({word}[:{own}]) / max({c}, len({word}) - {a}) if {word} else {own % 97}.5\n"
    )
    return nbformat.writes(notebook)


def _zip(files: dict) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()
