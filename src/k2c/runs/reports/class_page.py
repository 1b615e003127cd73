"""The page about the whole class: how it did, where it failed, and which submissions resemble each other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from k2c._system.atomic import atomic_path
from k2c.course.syllabus import load_syllabus
from k2c.runs.reports.grade import Grade
from k2c.runs.reports.pages import render

PAGE = "class.html"
MOST_ROWS = 25  # of wrong answers, and of pairs
BINS = 10


def write_class_page(
    grades: Sequence[Grade],
    exercises: Sequence[str],
    lecture: str,
    pairs: Sequence[Any],
    gram: int,
    files: Mapping[str, Any],
    out: Path,
) -> Path:
    """Write `class.html`.

    Parameters
    ----------
    grades, exercises, lecture
        As in the table.
    pairs, gram
        Submissions by page that resemble each other, and the length of the runs that were compared.
    files
        `platform`, the number of `files`, and `left_out` by reason.
    out
        The folder of the pages.

    Returns
    -------
    Path
        The page.
    """
    percents = [grade.score.percent for grade in grades if grade.verdicts]
    rows = [_row(name, grades) for name in exercises]
    shown = {
        "lecture": load_syllabus().lectures[lecture].title,
        "students": len(grades),
        "late": sum(grade.lateness.late is True for grade in grades),
        "statuses": Counter(grade.status for grade in grades).most_common(),
        "counted": len(percents),
        "mean": mean(percents or [0.0]),
        "median": median(percents or [0.0]),
        "bars": _bars(percents),
        "exercises": rows,
        "unsolved": [row["name"] for row in rows if not row["right"]],
        "mistakes": _mistakes(grades),
        "pairs": pairs[:MOST_ROWS],
        "gram": gram,
        "names": {grade.page: grade.student for grade in grades},
        "pages": {grade.page: grade.page for grade in grades},
    }
    files = dict(files) | {"left_out": files["left_out"].most_common()}
    with atomic_path(out / PAGE) as part:
        part.write_text(render("class.html.j2", **shown, **files), encoding="utf-8", errors="replace")
    return out / PAGE


def _bars(percents: Sequence[float]) -> list[dict[str, Any]]:
    """Return how many students are in each tenth; 100 percent is in the last one."""
    width = 100 // BINS
    counts = Counter(min(int(percent) // width, BINS - 1) for percent in percents)
    most = max(counts.values(), default=1)
    labels = [f"{width * n}–{width * (n + 1)}" for n in range(BINS)]
    return [
        {"label": label, "number": counts[n], "height": round(80 * counts[n] / most)}
        for n, label in enumerate(labels)
    ]


def _row(name: str, grades: Sequence[Grade]) -> dict[str, Any]:
    statuses = Counter(grade.verdicts[name].status for grade in grades if name in grade.verdicts)
    right, wrong, all_of_them = statuses["right"], statuses["wrong"], max(1, len(grades))
    return {
        "name": name,
        "right": right,
        "wrong": wrong,
        "neither": len(grades) - right - wrong,
        "right_percent": round(100 * right / all_of_them, 1),
        "wrong_percent": round(100 * wrong / all_of_them, 1),
    }


def _mistakes(grades: Sequence[Grade]) -> list[dict[str, Any]]:
    """Return by exercise and hint how many got it, and what one of them gave."""
    found: dict[tuple[str, str], list[str]] = {}
    for grade in grades:
        for name, verdict in grade.verdicts.items():
            if verdict.status == "wrong":
                found.setdefault((name, verdict.hint), []).append(verdict.complaint)
    most = sorted(found.items(), key=lambda entry: -len(entry[1]))[:MOST_ROWS]
    return [
        {"exercise": name, "hint": hint, "number": len(said), "example": Counter(said).most_common(1)[0][0]}
        for (name, hint), said in most
    ]
