"""A submission at work: followed by what it reports, and stopped when it goes too far."""

import json
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from typing import IO, Any

from k2c.runs.grading.confinement import PROCESSES, Engine, Started, SubmissionLimits

GRACE = 15.0  # seconds past its time limit in which a sandbox may still report what there is
REPORT_BYTES, LINE_BYTES, COMPLAINT_BYTES = 64_000_000, 16_000_000, 64_000
DEEPEST = 40  # lists in lists; an array has at most 64 dimensions, and an answer hardly more than four


@dataclass
class Outcome:
    """How a submission ended, what it gave for each exercise and printed in each cell, and what it used."""

    end: str = ""
    error: str = ""
    cell: int = -1
    answers: dict[str, Any] = field(default_factory=dict)
    outputs: dict[int, Any] = field(default_factory=dict)
    seconds: float = 0.0
    peak_memory: int = 0


def run_confined(
    job: dict[str, Any], limits: SubmissionLimits, engine: Engine, stop: threading.Event
) -> Outcome:
    """Run one submission in an engine, within its limits.

    Whatever happens to it, an outcome is returned and none of its processes is left.
    """
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(job | limits.as_job() | {"own_user": engine.counts_tasks}).encode())
        file.seek(0)
        started = engine.start(file, limits)
    assert started.process.stdout and started.process.stderr
    reports, complaints = _Reports(started.process.stdout), _Complaints(started.process.stderr)
    try:
        return _watch(started, limits, engine, stop, reports, complaints)
    finally:
        engine.end(started)
        for reader in (reports, complaints):
            reader.join(10)


class _Reader(threading.Thread):
    """Reads a pipe to its end, or to the number of bytes that is enough."""

    def __init__(self, pipe: IO[bytes], enough: int) -> None:
        super().__init__(daemon=True)
        self.pipe, self.left = pipe, enough
        self.start()

    def run(self) -> None:
        with self.pipe:
            while self.left > 0 and (chunk := os.read(self.pipe.fileno(), 1 << 16)):
                self.left -= len(chunk)
                self.take(chunk)

    def take(self, chunk: bytes) -> None:
        raise NotImplementedError


class _Complaints(_Reader):
    """What an engine says on standard error, where a submission does not start."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.text = b""
        super().__init__(pipe, COMPLAINT_BYTES)

    def take(self, chunk: bytes) -> None:
        self.text = (self.text + chunk)[-2000:]


class _Reports(_Reader):
    """What the process inside reports: lines of JSON, a student's words, within bounds."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.outcome, self.news, self.rest = Outcome(), threading.Event(), bytearray()
        super().__init__(pipe, REPORT_BYTES)

    def take(self, chunk: bytes) -> None:
        self.rest += chunk
        if b"\n" in chunk:
            *lines, rest = self.rest.split(b"\n")
            self.rest = bytearray(rest)
            for line in lines:
                self._note(line)
        if len(self.rest) > LINE_BYTES or self.left <= 0:
            self.left = 0
            self._finish("crashed", "it reported more than is kept")

    def _note(self, line: bytearray) -> None:
        outcome = self.outcome
        try:
            facts = json.loads(line)
            fits = _is_shallow(facts, DEEPEST)
            if "exercise" in facts:
                outcome.answers[str(facts["exercise"])] = facts.get("answers") if fits else None
            if "outputs" in facts and fits:
                outcome.outputs[int(facts["of"])] = facts["outputs"]
            outcome.cell = int(facts.get("cell", outcome.cell))
            if facts.get("end") in ("done", "timed out", "crashed"):
                outcome.peak_memory = max(outcome.peak_memory, int(facts.get("peak", 0)))
                self._finish(facts["end"], str(facts.get("error", ""))[:500])
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
            return

    def _finish(self, end: str, error: str) -> None:
        self.outcome.end, self.outcome.error = end, error
        self.news.set()


def _is_shallow(value: Any, deepest: int) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return deepest > 0 and all(_is_shallow(each, deepest - 1) for each in inside)


def _watch(
    started: Started,
    limits: SubmissionLimits,
    engine: Engine,
    stop: threading.Event,
    reports: _Reports,
    complaints: _Complaints,
) -> Outcome:
    outcome, began, end, error = reports.outcome, time.monotonic(), "", ""
    while not end:
        ended = started.process.poll() is not None
        outcome.seconds = time.monotonic() - began
        if ended:
            for reader in (reports, complaints):
                reader.join(10)
        if outcome.end:
            end, error = outcome.end, outcome.error
        elif ended:
            said = complaints.text.decode(errors="replace").strip().splitlines()
            end, error = "crashed", said[-1] if said else "its processes were ended"
        elif stop.is_set():
            end = "not graded"
        else:
            end, error = _exceeded(started, limits, engine, outcome)
        if not end:
            reports.news.wait(0.2)
    if end == "timed out":
        error = f"it took longer than {limits.seconds:.0f} s"
    return replace(outcome, end=end, error=error)  # what is reported from now on changes nothing


def _exceeded(
    started: Started, limits: SubmissionLimits, engine: Engine, outcome: Outcome
) -> tuple[str, str]:
    """Return the limit that a submission is over, if any, and why; keep the largest memory that it had."""
    processes, memory = engine.usage(started, limits.memory)
    outcome.peak_memory = max(outcome.peak_memory, memory)
    if processes > PROCESSES:
        return "too many processes", ""
    if memory > limits.memory:
        return "out of memory", f"it held {memory / 1e9:.1f} GB, {limits.memory / 1e9:.1f} GB are the limit"
    return "timed out" if outcome.seconds > limits.seconds + GRACE else "", ""
