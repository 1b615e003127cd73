"""What submissions gave the last time: a run is done again only when something has changed on which it rests."""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from k2c._system.atomic import atomic_path
from k2c.runs.grading.watch import Outcome


def kept_or_run(job: Mapping[str, Any], version: str, folder: Path, run: Callable[[], Outcome]) -> Outcome:
    """Return how a submission ended, from the folder where it is known and else from a run.

    Verdicts are not kept: other expectations, hints, points or comments need no run.

    Parameters
    ----------
    job
        All that a run is given: the notebook, the files beside it and the calls that its answers are asked for.
    version
        What else it rests on: a hash of the kit.
    folder
        Where outcomes are kept; only the grader can read it.
    run
        What makes one. Only one that came to its end is kept: a busy machine can be why another did not.

    Returns
    -------
    Outcome
        As it was, or as it is.
    """
    key = hashlib.sha256(json.dumps([job, version], sort_keys=True).encode()).hexdigest()
    file = folder / f"{key}.json.gz"
    try:
        with gzip.open(file, "rt", encoding="utf-8") as opened:
            found = json.load(opened)
        return Outcome(**found | {"outputs": {int(cell): out for cell, out in found["outputs"].items()}})
    except (OSError, EOFError, ValueError, TypeError, KeyError):  # not there, or damaged
        outcome = run()
    if outcome.end == "done":
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(file) as part, gzip.open(part, "wt", encoding="utf-8") as opened:
            json.dump(asdict(outcome), opened)
    return outcome
