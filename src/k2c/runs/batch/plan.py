"""From a batch file to the plan: the table of its runs, and what each may take."""

import itertools
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from k2c._system.plain_file import UnreadableError, read_text
from k2c._system.printable import printable
from k2c._system.sealed import read_sealed_json, seal_json
from k2c.course.syllabus import Lecture, Value, load_syllabus
from k2c.errors import K2CError
from k2c.runs.batch.file import BatchFile, LimitsForm, read_batch
from k2c.runs.batch.filter import make_filter
from k2c.runs.batch.sweep import SearchSweep, Sweep
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
        `grid`, `zip`, `random`, `search`, `list` or `none`.
    parameters
        The names of the swept parameters.
    repeat
        The parameter over which every setting is repeated, None when there is none.
    runs
        The table, in the file's order; a search adds to it what it proposes.
    show
        The result that the report shows first; empty for its own choice.
    base
        The folder that the file's relative paths start from.
    search
        How settings are proposed, where `kind` is `search`.
    limits
        What a run may take; of the batch file alone, `plan.json` does not have them.
    text
        The batch file, likewise.
    table
        Makes the rows of further settings, likewise.
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
    search: SearchSweep | None = None
    limits: LimitsForm = field(default=LimitsForm(), compare=False)
    text: str = field(default="", compare=False)
    table: "_Table | None" = field(default=None, compare=False, repr=False)

    @property
    def most_runs(self) -> int:
        """The number of runs when all is done; those so far where a search is bounded by time."""
        return max(len(self.runs), (self.search.budget.runs or 0) if self.search else 0)

    def add(self, setting: Setting) -> list[PlannedRun]:
        """Add the runs of a setting to the table, and return them; none where the table has them already."""
        assert self.table is not None
        known = {run.id for run in self.runs}
        new = [run for run in self.table.rows([setting]) if run.id not in known]
        self.runs.extend(new)
        return new

    def to_json(self) -> str:
        """Return the content of `plan.json`."""
        content = asdict(replace(self, limits=LimitsForm(), table=None, search=None))
        del content["limits"], content["text"], content["table"]
        content["search"] = self.search.model_dump(mode="json", exclude_unset=True) if self.search else None
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
    search = batch.sweep.search if batch.sweep else None
    settings = list(_settings(batch.sweep))
    swept = list(search.parameters if search else dict.fromkeys(key for row in settings for key in row))
    table = _Table(batch, lecture, swept, repeat, values, base, out)
    runs = _proposed_before(search, table, out) if search else table.rows(settings)
    return BatchPlan(
        name,
        batch.lecture,
        lecture.title,
        batch.profile,
        batch.sweep.kind if batch.sweep else "none",
        swept,
        repeat,
        runs,
        batch.show or (search.objective if search else lecture.headline),
        str(base.resolve()),
        search,
        batch.limits,
        read_text(path),
        table,
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
        search = SearchSweep.model_validate(form) if (form := content.pop("search", None)) else None
        return BatchPlan(**content.pop("sweep"), **content, runs=runs, search=search)
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


@dataclass
class _Table:
    """Makes rows from settings."""

    batch: BatchFile
    lecture: Lecture
    swept: list[str]
    repeat: str | None
    values: Sequence[Value | None]
    base: Path
    out: Path
    data: dict[tuple[tuple[str, Path], ...], Found] = field(default_factory=dict)

    def rows(self, settings: Iterable[Setting]) -> list[PlannedRun]:
        """Return a row for each setting and value of the repeated parameter; equal ones once."""
        defaults = self.lecture.settings(self.batch.profile) | self.lecture.resolve(self.batch.fixed)
        whole = _filtered(self.batch, [defaults | self.lecture.resolve(setting) for setting in settings])
        rows = itertools.starmap(self._row, itertools.product(whole, self.values))
        return list({row.id: row for row in rows}.values())

    def _row(self, setting: Setting, value: Value | None) -> PlannedRun:
        typed = setting | (self.lecture.resolve({self.repeat: value}) if self.repeat else {})
        varied = {key: typed[key] for key in (*self.swept, *([self.repeat] if self.repeat else []))}
        parameters = self.lecture.locate(typed, self.base)
        read = tuple(self.lecture.paths(parameters).items())
        if read not in self.data:
            self.data[read] = find_data(self.batch.lecture, parameters, self.out)
        identity = run_id(self.batch.lecture, parameters, self.data[read])
        profile, seed = self.lecture.profile_of(parameters), parameters.get("seed")
        return PlannedRun(identity, parameters, varied, seed, profile, self.data[read])  # type: ignore[arg-type]


def _proposed_before(search: SearchSweep, table: _Table, out: Path) -> list[PlannedRun]:
    """Return what a search proposed in this folder, as far as it would run the same today."""
    kept: dict[str, PlannedRun] = {}
    with suppress(K2CError):
        for run in read_plan(out).runs:
            if run.id not in kept and search.may_propose(run.varied):
                rows = {
                    row.id: row
                    for row in table.rows([{name: run.varied[name] for name in search.parameters}])
                }
                kept |= rows if run.id in rows else {}
    return list(kept.values())


def _settings(sweep: Sweep | None) -> Iterator[Setting]:
    if sweep is None:
        yield {}
    elif sweep.search is not None:
        return  # they are proposed one by one
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
            yield {name: source.draw(drawn) for name, source in sweep.random.parameters.items()}


def _refuse_many(batch: BatchFile, repeats: int) -> None:
    number = (batch.sweep.size if batch.sweep else 1) * repeats
    if number > MAXIMUM_RUNS:
        shown = f"{number:,}" if number < 10**15 else "more than 10^15"
        raise K2CError(f"The batch has {shown} runs; {MAXIMUM_RUNS:,} is the most. Sweep fewer values.")


def _filtered(batch: BatchFile, settings: list[Setting]) -> list[Setting]:
    if not batch.filter.strip() or not settings:
        return settings
    kept = list(filter(make_filter(batch.filter, settings[0]), settings))
    if not kept:
        raise K2CError(
            f"The filter '{printable(batch.filter)}' leaves none of the {len(settings):,} settings."
        )
    return kept
