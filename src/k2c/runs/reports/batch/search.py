"""What the report of a search adds: its best setting, what that cost against a grid, and Optuna's plots."""

import json
import math
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import plot_contour, plot_optimization_history, plot_param_importances

from k2c.errors import K2CError
from k2c.runs.batch import BatchPlan, Store
from k2c.runs.batch.search import Search
from k2c.runs.batch.sweep import Distribution, SearchSweep
from k2c.runs.reports.pages import format_seconds

_AXES = {
    "Trial": "setting, in the order in which they were proposed",
    "Hyperparameter Importance": "importance",
}
GRID_VALUES = 5  # of each number in the grid that a search is compared with


def describe_search(plan: BatchPlan, store: Store) -> dict[str, Any]:
    """Return what stands in the report of a search.

    Parameters
    ----------
    plan
        Of a search.
    store
        The batch's folder.

    Returns
    -------
    dict
        `sentences`, the first of them about the best setting, and `plots`: `title` and plotly's `figure`, as JSON.
    """
    assert plan.search is not None
    try:
        study = Search(plan, store).study
    except K2CError as error:  # the objective has no such name: the batch was stopped for it
        return {"sentences": [str(error)], "plots": []}
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    if not complete:
        return {"sentences": ["No setting of the search went through yet."], "plots": []}
    best = study.best_trial
    sentences = [*_best(plan, best, len(complete)), *_cost(plan, store, best), _luck(plan, len(complete))]
    plots = _plots(study, plan.search.objective)
    return {
        "sentences": sentences,
        "plots": [{"title": title, "figure": json.loads(figure.to_json())} for title, figure in plots],
    }


def settings_until(plan: BatchPlan, trial: FrozenTrial) -> int:
    """Return the number of runs, in the order of their proposal, until those of a trial are done."""
    assert plan.search is not None
    names = list(plan.search.parameters)
    same = [all(run.varied[name] == trial.params[name] for name in names) for run in plan.runs]
    return len(same) - same[::-1].index(True)


def _best(plan: BatchPlan, best: FrozenTrial, complete: int) -> list[str]:
    assert plan.search is not None
    words = ", ".join(f"{name} = {_short(value)}" for name, value in best.params.items())
    mean = f" (mean over {plan.repeat})" if plan.repeat else ""
    return [
        f"Best {plan.search.objective}{mean}: {best.value:.5g}, with {words}. "
        f"It came with run {settings_until(plan, best)} of {len(plan.runs)}; "
        f"{complete} setting{'s' if complete != 1 else ''} went through."
    ]


def _cost(plan: BatchPlan, store: Store, best: FrozenTrial) -> list[str]:
    """Say what the best cost, against a grid over the same ranges."""
    assert plan.search is not None
    facts = [store.facts(run.id) or {} for run in plan.runs]
    seconds = [entry.get("seconds", 0.0) for entry in facts]
    whole = [entry["seconds"] for entry in facts if entry.get("status") == "ok"]
    pruned = sum(entry.get("status") == "pruned" for entry in facts)
    until = settings_until(plan, best)
    repeats = len({run.varied[plan.repeat] for run in plan.runs}) if plan.repeat else 1
    runs = _grid_runs(plan.search) * repeats
    saved = f" {pruned} of the runs ended early." if pruned else ""
    return [
        f"That took {until} runs and {format_seconds(sum(seconds[:until]))} of running; the whole search {len(whole)} "
        f"runs to the end and {format_seconds(sum(seconds))}.{saved} A grid with {GRID_VALUES} values of each number "
        f"would have {runs:,} runs and take {format_seconds(runs * sum(whole) / len(whole))}."
    ]


def _luck(plan: BatchPlan, complete: int) -> str:
    assert plan.search is not None
    return (
        f"The best of {complete} is in part luck: of equally good settings, the one with the luckiest seed wins. "
        f"Run it again with other seeds, and report {plan.search.objective} on data that chose nothing."
    )


def _grid_runs(search: SearchSweep) -> int:
    return math.prod(_grid_values(source) for source in search.parameters.values())


def _grid_values(source: Distribution) -> int:
    if source.choice is not None:
        return len(source.choice)
    if source.integers is not None:
        return min(GRID_VALUES, source.integers[1] - source.integers[0] + 1)
    return GRID_VALUES


def _plots(study: optuna.Study, objective: str) -> list[tuple[str, Any]]:
    found = [("Each setting, and the best so far", plot_optimization_history(study))]
    complete = [trial for trial in study.trials if trial.state == TrialState.COMPLETE]
    names = list(complete[0].params)
    if len(complete) >= 4 and len({trial.value for trial in complete}) > 1 and len(names) > 1:
        importance = optuna.importance.get_param_importances(study)
        names = sorted(names, key=lambda name: -importance.get(name, 0.0))
        found.append(("How much each parameter decides", plot_param_importances(study)))
        found.append((f"{names[0]} and {names[1]}, all others aside", plot_contour(study, params=names[:2])))
    for _, figure in found:
        figure.update_layout(title=None)
        figure.for_each_xaxis(
            lambda axis: axis.update(title_text=_AXES.get(axis.title.text, axis.title.text))
        )
        figure.for_each_yaxis(
            lambda axis: axis.update(title_text={"Objective Value": objective}.get(axis.title.text))
        )
        figure.update_traces(colorbar_title_text=objective, selector={"type": "contour"})
    return found


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
