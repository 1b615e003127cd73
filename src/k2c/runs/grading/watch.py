"""A submission at work: followed by what it reports, and stopped when it goes too far."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from k2c.runs.grading.confinement import PROCESSES, Confinement, SubmissionLimits, control_group, environment

GRACE = 15.0  # seconds past its time limit in which a sandbox may still save what there is


@dataclass
class Outcome:
    """How a submission ended, what it gave for each exercise, and what it used."""

    end: str = ""
    error: str = ""
    cell: int = -1
    answers: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory: int = 0


def run_confined(
    job: dict[str, Any], work: Path, limits: SubmissionLimits, confinement: Confinement, stop: threading.Event
) -> Outcome:
    """Run one submission, prepared in the folder `work`, within its limits.

    Whatever happens to it, an outcome is returned and none of its processes is left.
    """
    bounds = {"seconds": limits.seconds, "memory": limits.memory, "tasks": limits.tasks}
    job = job | confinement.job() | bounds | {"work": str(work)}
    with control_group(confinement.pids, limits.tasks) as group, (work / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            confinement.command(group),
            stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=work, env=environment(work, limits.threads),
            start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        try:
            process.stdin.write((json.dumps(job) + "\n").encode())
            process.stdin.flush()
            return _watch(process, work, limits, group, stop)
        except BrokenPipeError:
            return Outcome("crashed", error="the process did not start; see its log")
        finally:
            _kill(process, confinement.namespaces)


def _watch(
    process: subprocess.Popen[bytes],
    work: Path,
    limits: SubmissionLimits,
    group: Path | None,
    stop: threading.Event,
) -> Outcome:
    outcome, started, read = Outcome(), time.monotonic(), 0
    while not outcome.end:
        ended = process.poll() is not None
        outcome.seconds = time.monotonic() - started
        read = _follow(work / "progress.jsonl", read, outcome)
        if not outcome.end:
            outcome.end = "crashed" if ended else _exceeded(process, limits, group, outcome)
        if not outcome.end and stop.wait(0.2):
            outcome.end = "not graded"
    if outcome.end == "timed out":
        outcome.error = f"it took longer than {limits.seconds:.0f} s"
    return outcome


def _exceeded(
    process: subprocess.Popen[bytes], limits: SubmissionLimits, group: Path | None, outcome: Outcome
) -> str:  # fmt: skip
    """Return the limit that a sandbox is over, if any, and keep the largest memory that it had."""
    # The group's count comes first: to look through a thousand processes takes long where they all run.
    if group and int((group / "pids.current").read_text()) >= limits.tasks:
        return "too many processes"
    processes, memory = _usage(process.pid, limits.memory)
    outcome.peak_memory = max(outcome.peak_memory, memory)
    if processes > PROCESSES:
        return "too many processes"
    if memory > limits.memory:
        outcome.error = f"it held {memory / 1e9:.1f} GB, {limits.memory / 1e9:.1f} GB are the limit"
        return "out of memory"
    return "timed out" if outcome.seconds > limits.seconds + GRACE else ""


def _follow(progress: Path, read: int, outcome: Outcome, at_most: int = 50_000_000) -> int:
    """Read the lines that the sandbox added since; whatever they say, they are a student's words."""
    if not progress.is_file() or read > at_most:
        return read
    with progress.open("rb") as file:
        file.seek(read)
        for line in file:
            if not line.endswith(b"\n"):
                break
            read += len(line)
            try:
                facts = json.loads(line)
                if "exercise" in facts:
                    outcome.answers[str(facts["exercise"])] = facts.get("answers")
                outcome.cell = int(facts.get("cell", outcome.cell))
                outcome.error = str(facts.get("error", outcome.error))[:500]
                if facts.get("end") in ("done", "timed out", "crashed"):
                    outcome.end = facts["end"]
            except (ValueError, TypeError, AttributeError, RecursionError):
                continue
    return read


def _usage(pid: int, limit: int) -> tuple[int, int]:
    """Return the number of processes of a sandbox and the bytes of memory that they hold together."""
    try:
        family = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return 0, 0
    memory = _memory(family, lambda process: process.memory_info().rss)
    if memory > limit and len(family) <= PROCESSES and sys.platform == "linux":
        # Pages that a fork shares count once: slower to read, so only where it decides.
        memory = _memory(family, lambda process: process.memory_full_info().pss)
    return len(family), memory


def _memory(family: list[psutil.Process], measure: Callable[[psutil.Process], int]) -> int:
    total = 0
    for process in family[: PROCESSES + 1]:
        try:
            total += measure(process)
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def _kill(process: subprocess.Popen[bytes], namespaces: bool, patience: float = 20.0) -> None:
    """End a sandbox and everything that it started."""
    until = time.monotonic() + patience
    # With `unshare` dies the first process of its namespace, and with that one the namespace. Without, children go
    # first, so that none is adopted elsewhere.
    while not namespaces and time.monotonic() < until and process.poll() is None:
        try:
            family = psutil.Process(process.pid).children(recursive=True)
        except psutil.Error:
            break
        alive = 0
        for member in family:
            try:
                alive += member.status() != psutil.STATUS_ZOMBIE
                member.kill()
            except psutil.Error:
                continue
        if not alive:
            break
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()
