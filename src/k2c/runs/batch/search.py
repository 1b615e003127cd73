"""A search: settings that Optuna proposes, each by what the earlier ones gave.

Its state is the batch's own: the plan has every setting that was proposed, before it runs, and a run's folder has what
it gave. Both are sealed and appear whole, so that a killed search goes on from what is there. A proposal's seed depends
on its number alone: with one run at a time, a search that was stopped proposes what it would have proposed without.
"""

import hashlib
import itertools
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from k2c.errors import K2CError, unknown
from k2c.runs.batch.plan import BatchPlan, PlannedRun
from k2c.runs.batch.store import Store
from k2c.runs.batch.sweep import Distribution, SearchSweep
from k2c.runs.reports.pages import format_seconds

DONE = ("ok", "pruned")  # a search does not repeat these
_BAD = (
    "failed",
    "timed out",
    "out of memory",
)  # the setting's doing: the worst there is; others are accidents
_MOST_REPEATED = 100  # proposals in a row that have been run already: there are no others


@dataclass
class _Trial:
    """One setting: Optuna's trial, and the runs that it takes."""

    trial: optuna.Trial
    left: set[str]
    values: list[float] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    reported: int = 0


class Search:
    """Proposes settings, and learns what they gave.

    Parameters
    ----------
    plan
        Of a search; what is proposed is added to its runs.
    store
        The batch's folder: what is there already was proposed before.

    Attributes
    ----------
    study
        Optuna's study.
    """

    def __init__(self, plan: BatchPlan, store: Store) -> None:
        assert plan.search is not None
        self._plan, self._form = plan, plan.search
        self._drawn_from = {name: _distribution(source) for name, source in self._form.parameters.items()}
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = optuna.create_study(
            direction=self._form.direction, pruner=_pruner(self._form), study_name=plan.name
        )
        self._trials: dict[str, _Trial] = {}
        self._settings, self._seconds, self._exhausted = 0, 0.0, False
        for setting, rows in itertools.groupby(plan.runs, self._setting):
            self.study.enqueue_trial(dict(setting))
            self._begin(self.study.ask(self._drawn_from), rows)
        for run in plan.runs:
            facts = store.facts(run.id) or {}
            if facts.get("status") in DONE and not store.damage(run.id):
                self.tell(run.id, facts["status"], facts["seconds"], store.metrics(run.id))

    @property
    def over(self) -> bool:
        """Whether nothing more is to be proposed."""
        return self._enough or bool(self.end)

    @property
    def _enough(self) -> bool:
        runs = self._form.budget.runs
        return runs is not None and len(self._plan.runs) >= runs

    @property
    def end(self) -> str:
        """Why nothing more is proposed though there are not yet as many runs as were asked for; empty otherwise."""
        if self._enough:
            return ""
        if self._exhausted:
            return "The search ends: it has proposed every setting that there is."
        time = self._form.budget.time
        if time is None or self._seconds < time:
            return ""
        taken, budget = format_seconds(self._seconds), format_seconds(time)
        return (
            f"The search ends: its runs have taken {taken}, and the budget is {budget}. For more, write a larger "
            "budget into the batch file and run that again."
        )

    def ask(self) -> list[PlannedRun]:
        """Propose a setting, and return its runs, which the plan has from now on; none where all have been run."""
        for attempt in range(_MOST_REPEATED):
            self.study.sampler = _sampler(self._form, f"{self._settings} {attempt}")
            trial = self.study.ask(self._drawn_from)
            if rows := self._plan.add(trial.params):
                self._begin(trial, rows)
                return rows
            self.study.tell(trial, state=TrialState.FAIL)
        self._exhausted = True
        return []

    def tell(self, run: str, status: str, seconds: float, results: Mapping[str, Any]) -> None:
        """Take down what a run gave.

        Parameters
        ----------
        run
            Its id.
        status
            How it ended.
        seconds
            What it took.
        results
            What stands in its `metrics.json`.

        Raises
        ------
        K2CError
            When it ended well, and has no such result as the objective, or no such column as runs are pruned by.
        """
        self._seconds += seconds
        setting = self._trials[run]
        column = [
            row for row in results.get("epochs", ()) if self._form.prune and self._form.prune.watch in row
        ]
        for row in column[setting.reported :]:
            self._report(setting, row)
        if status == "ok":
            setting.values.append(objective(results, self._form.objective))
            if self._form.prune and not column:
                measured = sorted({name for row in results.get("epochs", ()) for name in row})
                raise K2CError(
                    unknown("column of what `fit` measures after an epoch", self._form.prune.watch, measured)
                )
        setting.ended.append(status if status != "ok" or math.isfinite(setting.values[-1]) else "failed")
        setting.left.discard(run)
        if not setting.left:
            self._finish(setting)

    def hopeless(self, run: str, row: Mapping[str, float]) -> bool:
        """Take down what `fit` measured after an epoch, and tell whether the run may as well end.

        Parameters
        ----------
        run
            Its id.
        row
            The last one of `k2c.training.History`.
        """
        if self._form.prune is None or self._form.prune.watch not in row:
            return False
        self._report(self._trials[run], row)
        return bool(self._trials[run].trial.should_prune())

    def _setting(self, run: PlannedRun) -> tuple[tuple[str, Any], ...]:
        return tuple((name, run.varied[name]) for name in self._form.parameters)

    def _begin(self, trial: optuna.Trial, rows: Iterable[PlannedRun]) -> None:
        setting = _Trial(trial, {run.id for run in rows})
        self._trials |= dict.fromkeys(setting.left, setting)
        self._settings += 1

    def _report(self, setting: _Trial, row: Mapping[str, float]) -> None:
        assert self._form.prune is not None
        setting.reported += 1
        setting.trial.report(row[self._form.prune.watch], setting.reported)

    def _finish(self, setting: _Trial) -> None:
        if set(setting.ended) == {"ok"}:
            self.study.tell(setting.trial, statistics.mean(setting.values))
        elif set(setting.ended) <= {*DONE, *_BAD}:
            self.study.tell(setting.trial, state=TrialState.PRUNED)  # without a value: behind all others
        else:
            self.study.tell(setting.trial, state=TrialState.FAIL)


def objective(results: Mapping[str, Any], name: str) -> float:
    """Return a recorded result or the value of a claim; NaN where it could not be measured.

    Raises
    ------
    K2CError
        When the run has no such number.
    """
    found = {guard["name"]: guard["value"] for guard in results.get("guards", ())} | results.get(
        "recorded", {}
    )
    numbers = {}
    for each, value in found.items():
        if value is None or isinstance(value, int | float) or value in ("nan", "inf", "-inf"):
            numbers[each] = math.nan if value is None else float(value)
    if name not in numbers:
        raise K2CError(f"The search has no objective: {unknown('result', name, sorted(numbers))}")
    return numbers[name]


def _distribution(source: Distribution) -> BaseDistribution:
    if source.choice is not None:
        return CategoricalDistribution(source.choice)
    if source.integers is not None:
        return IntDistribution(*source.integers)
    low, high = source.log_uniform or source.uniform or (0, 1)
    return FloatDistribution(low, high, log=source.log_uniform is not None)


def _sampler(form: SearchSweep, proposal: str) -> optuna.samplers.BaseSampler:
    seed = int.from_bytes(hashlib.sha256(f"{form.seed} {proposal}".encode()).digest()[:4], "big")
    if form.sampler == "random":
        return optuna.samplers.RandomSampler(seed)
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _pruner(form: SearchSweep) -> optuna.pruners.BasePruner:
    if form.prune is None:
        return optuna.pruners.NopPruner()
    return (
        optuna.pruners.HyperbandPruner() if form.prune.rule == "hyperband" else optuna.pruners.MedianPruner()
    )
