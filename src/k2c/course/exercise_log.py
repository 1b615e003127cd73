"""What a student has solved so far: one small JSON file in a folder of the student's own.

It outlives kernels, notebooks and new versions of the course. Runs that are no student's work (`k2c run`, batches,
grading, tests) set `K2C_STUDENT=off` and leave it alone.
"""

import contextlib
import json
import warnings
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from k2c._system.paths import student_dir
from k2c._system.plain_file import UnreadableError
from k2c._system.sealed import read_sealed_json, seal_json

FILE = "exercises.json"
DAMAGED = "exercises.damaged.json"


def note(exercise: str, status: str) -> None:
    """Keep the outcome of a check; an exercise once solved stays solved.

    A folder that cannot be written is no reason to fail a lecture: the outcome is then not kept.

    Parameters
    ----------
    exercise
        Its name, `spam.1`.
    status
        `right`, `wrong` or `not attempted` (which is not kept).
    """
    folder = student_dir()
    if folder is None or status == "not attempted":
        return
    from filelock import FileLock

    from k2c._system.atomic import atomic_path

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{FILE}.lock"):
            solved = outcomes()
            entry = solved.setdefault(exercise, {"status": status, "tries": 0})
            if entry["status"] != "right":
                now = datetime.now(UTC).isoformat(timespec="seconds")
                entry |= {"status": status, "tries": entry["tries"] + 1, "when": now}
            with atomic_path(folder / FILE) as part:
                part.write_text(json.dumps(seal_json(solved), indent=1) + "\n", encoding="utf-8")
    except OSError:
        return


def outcomes() -> dict[str, dict[str, Any]]:
    """Return, for each exercise that was tried, its `status`, the number of `tries` and `when` it last changed."""
    folder = student_dir()
    if folder is None or not (folder / FILE).is_file():
        return {}
    try:
        return read_sealed_json(folder / FILE)
    except UnreadableError as error:  # begin anew rather than stop a lecture
        _set_aside(folder, str(error))
        return {}
    except OSError:
        return {}


def _set_aside(folder: Path, problem: str) -> None:
    with contextlib.suppress(OSError):  # another kernel has done it, or the folder cannot be written
        (folder / FILE).replace(folder / DAMAGED)
        warnings.warn(
            f"{problem} What was solved before is no longer counted; the file is kept as {DAMAGED}.",
            stacklevel=4,
        )


def solved_of(lecture: str, exercises: Collection[str]) -> str:
    """Return a lecture's progress in one line: `01_spam_naive_bayes: 2 of 3 exercises solved`."""
    done = outcomes()
    right = sum(done.get(name, {}).get("status") == "right" for name in exercises)
    return f"{lecture}: {right} of {len(exercises)} exercises solved"
