"""From a batch file to the plan: the table of its runs, and what each may take."""

import itertools
import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from k2c._system.plain_file import UnreadableError, read_text
from k2c._system.printable import printable
from k2c._system.sealed import read_sealed_json, seal_json
from k2c.course.syllabus import Lecture, Value, load_syllabus
from k2c.errors import K2CError
from k2c.runs.batch.file import BatchFile, Distribution, LimitsForm, Sweep, read_batch
from k2c.runs.batch.filter import make_filter
from k2c.runs.execution.own_data import Found, find_data, found_from_json
from k2c.runs.execution.source import run_id

MAXIMUM_RUNS = 100_000
Setting = dict[str, Value]


@dataclass(frozen=True)
class PlannedRun:
    """One row of the table.

    Attributes
    ----------
    id
        The name of its folder.
    parameters
        Every parameter of the lecture.
    varied
        Those that differ from run to run.
    seed
        The lecture's parameter of that name, None when it has none.
    profile
        The profile that the parameters make.
    data
        What those parameters that are paths lead to.
    """

    id: str
    parameters: Setting
    varied: Setting
    seed: int | None
    profile: str
    data: Found = field(default_factory=dict)


@dataclass(frozen=True)
class BatchPlan:
    """What a batch runs.

    Attributes
    ----------
    name, lecture, title, profile
        What it is, and of what.
    kind
        `grid`, `zip`, `random`, `list` or `none`.
    parameters
        The names of the swept parameters.
    repeat
        The parameter over which every setting is repeated, None when there is none.
    runs
        The table, in the file's order.
    show
        The result that the report shows first; empty for its own choice.
    base
        The folder that the file's relative paths start from.
    limits
        What a run may take; of the batch file alone, `plan.json` does not have them.
    text
        The batch file, likewise.
    """

    name: str
    lecture: str
    title: str
    profile: str
    kind: str
    parameters: list[str]
    repeat: str | None
    runs: list[PlannedRun]
    show: str = ""
    base: str = field(default="", compare=False)
    limits: LimitsForm = field(default=LimitsForm(), compare=False)
    text: str = field(default="", compare=False)

    def to_json(self) -> str:
        """Return the content of `plan.json`."""
        content = asdict(self)
        del content["limits"], content["text"]
        content["sweep"] = {"kind": content.pop("kind"), "parameters": content.pop("parameters")}
        runs = content.pop("runs")
        seal = json.dumps({"sha256": seal_json(content | {"runs": runs})["sha256"]})[1:]
        rows = ",\n  ".join(json.dumps(run, ensure_ascii=False) for run in runs)
        return json.dumps(content, ensure_ascii=False)[:-1] + f',\n "runs": [\n  {rows}\n ],\n {seal}\n'


def plan_batch(path: Path, out: Path) -> BatchPlan:
    """Return what a batch file asks for; equal settings are run once.

    Parameters
    ----------
    path
        The batch file. Its relative paths start from its folder; those of the copy that a batch keeps among its
        results start where the original stood.
    out
        The folder of the results.

    Raises
    ------
    K2CError
        When the file is wrong, nothing is left to run, there is too much of it, or the filter is no expression of
        parameters.
    """
    before = read_plan(out) if path.parent == out else None
    name, base = (before.name, Path(before.base or out)) if before else (path.stem, path.parent)
    batch = read_batch(path, base)
    lecture = load_syllabus().lectures[batch.lecture]
    repeat, values = next(iter((batch.repeats or {}).items()), (None, [None]))
    _refuse_many(batch, len(values))
    swept = list(dict.fromkeys(key for setting in _settings(batch.sweep) for key in setting))
    return BatchPlan(
        name,
        batch.lecture,
        lecture.title,
        batch.profile,
        batch.sweep.kind if batch.sweep else "none",
        swept,
        repeat,
        _rows(batch, lecture, swept, repeat, values, base, out),
        batch.show,
        str(base.resolve()),
        batch.limits,
        read_text(path),
    )


def read_plan(folder: Path) -> BatchPlan:
    """Return the plan that a batch's folder was started with.

    Raises
    ------
    K2CError
        When there is none.
    """
    try:
        content = read_sealed_json(folder / "plan.json")
        runs = [
            PlannedRun(**(run | {"data": found_from_json(run.get("data", {}))}))
            for run in content.pop("runs")
        ]
        return BatchPlan(**content.pop("sweep"), **content, runs=runs)
    except OSError as error:
        raise K2CError(
            f"{printable(folder)} holds no batch: it has no plan.json. Name a folder that k2c batch made."
        ) from error
    except UnreadableError as error:
        raise K2CError(f"{error} Run the batch file again.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise K2CError(
            f"{printable(folder)}/plan.json is damaged ({printable(error)}). Run the batch file again."
        ) from error


def _rows(
    batch: BatchFile,
    lecture: Lecture,
    swept: list[str],
    repeat: str | None,
    values: Sequence[Value | None],
    base: Path,
    out: Path,
) -> list[PlannedRun]:
    defaults = lecture.settings(batch.profile) | lecture.resolve(batch.fixed)
    settings = _filtered(batch, [defaults | lecture.resolve(setting) for setting in _settings(batch.sweep)])
    runs: dict[str, PlannedRun] = {}
    data: dict[tuple[tuple[str, Path], ...], Found] = {}
    for setting, value in itertools.product(settings, values):
        typed = setting | (lecture.resolve({repeat: value}) if repeat else {})
        varied = {key: typed[key] for key in (*swept, *([repeat] if repeat else []))}
        parameters = lecture.locate(typed, base)
        read = tuple(lecture.paths(parameters).items())
        if read not in data:
            data[read] = find_data(batch.lecture, parameters, out)
        identity = run_id(batch.lecture, parameters, data[read])
        seed = parameters.get("seed")
        profile = lecture.profile_of(parameters)
        row = PlannedRun(identity, parameters, varied, seed, profile, data[read])  # type: ignore[arg-type]
        runs.setdefault(identity, row)
    return list(runs.values())


def _settings(sweep: Sweep | None) -> Iterator[Setting]:
    if sweep is None:
        yield {}
    elif sweep.grid is not None:
        yield from (
            dict(zip(sweep.grid, row, strict=True)) for row in itertools.product(*sweep.grid.values())
        )
    elif sweep.zip is not None:
        yield from (dict(zip(sweep.zip, row, strict=True)) for row in zip(*sweep.zip.values(), strict=True))
    elif sweep.listed is not None:
        yield from sweep.listed
    elif sweep.random is not None:
        drawn = random.Random(sweep.random.seed)
        for _ in range(sweep.random.samples):
            yield {name: _draw(drawn, source) for name, source in sweep.random.parameters.items()}


def _draw(drawn: random.Random, source: Distribution) -> Value:
    if source.choice is not None:
        return drawn.choice(source.choice)
    if source.integers is not None:
        return drawn.randint(*source.integers)
    if source.uniform is not None:
        return drawn.uniform(*source.uniform)
    low, high = source.log_uniform or (1, 1)
    return min(max(math.exp(drawn.uniform(math.log(low), math.log(high))), low), high)


def _refuse_many(batch: BatchFile, repeats: int) -> None:
    number = _number(batch.sweep) * repeats
    if number > MAXIMUM_RUNS:
        shown = f"{number:,}" if number < 10**15 else "more than 10^15"
        raise K2CError(f"The batch has {shown} runs; {MAXIMUM_RUNS:,} is the most. Sweep fewer values.")


def _number(sweep: Sweep | None) -> int:
    """Return the number of settings, without making them."""
    if sweep is None:
        return 1
    if sweep.random is not None:
        return sweep.random.samples
    if sweep.listed is not None:
        return len(sweep.listed)
    if sweep.zip is not None:
        return len(next(iter(sweep.zip.values()), ()))
    return math.prod(len(values) for values in (sweep.grid or {}).values())


def _filtered(batch: BatchFile, settings: list[Setting]) -> list[Setting]:
    if not batch.filter.strip():
        return settings
    kept = list(filter(make_filter(batch.filter, settings[0]), settings))
    if not kept:
        raise K2CError(
            f"The filter '{printable(batch.filter)}' leaves none of the {len(settings):,} settings."
        )
    return kept
