"""A search proposes settings by what earlier ones gave, ends runs that are behind, and survives being killed."""

import json
import signal
import subprocess
import sys
import time

import pytest
import yaml

pytest.importorskip("optuna")

from k2c._system.outputs import EPOCH_MIME
from k2c._system.sealed import seal_json
from k2c._system.terminal import Terminal
from k2c.errors import K2CError
from k2c.runs.batch import Store, plan_batch, read_plan
from k2c.runs.batch.search import Search
from k2c.runs.reports.batch import read_batch_table, write_batch_report
from k2c.runs.reports.batch.compare import compare_batches
from k2c.runs.reports.batch.mlflow import export_mlflow

SEARCH = """\
lecture: 00
sweep:
  search:
    parameters: {rate: {uniform: [0, 1]}, steps: {integers: [1, 9]}}
    objective: quality
    budget: {runs: 12}
"""
# Epochs as `fit` reports them; the best rate is 0.3. Once five runs are there, one that is far off waits to be ended.
EPOCHS = """\
import glob, time
from k2c._system.outputs import tell_epoch
for epoch in range(3):
    tell_epoch({"epoch": epoch + 1, "accuracy": 1 - (rate - 0.3) ** 2})
    if abs(rate - 0.3) > 0.6 and len(glob.glob("../../out/00_*")) > 4:
        time.sleep(200)
k2c.record(quality=1 - (rate - 0.3) ** 2)
"""


def quality(parameters):
    return 1 - (parameters["rate"] - 0.3) ** 2 - (parameters["steps"] - 5) ** 2 / 100


@pytest.fixture
def search(tiny_course, tmp_path):
    """Return a function that plans a search, with what its folder holds, and starts it."""

    def make(text="", out="out"):
        (tmp_path / "trial.yml").write_text(text or SEARCH)
        plan, store = plan_batch(tmp_path / "trial.yml", tmp_path / out), Store(tmp_path / out)
        (tmp_path / out).mkdir(exist_ok=True)
        return Search(plan, store), plan, store

    return make


def keep(store, run, status="ok", results=None, seconds=1.0):
    """Write the folder of a run that has ended."""
    folder = store.folder / run.id
    folder.mkdir(exist_ok=True)
    facts = {
        "status": status,
        "cause": "",
        "error": "",
        "seconds": seconds,
        "parameters": run.parameters,
        "started": "2026-11-29T16:00:00+00:00",
    }
    results = results or {"recorded": {"quality": quality(run.parameters)}, "guards": []}
    (folder / "run.json").write_text(json.dumps(seal_json(facts)))
    (folder / "metrics.json").write_text(json.dumps(seal_json(results)))
    return results


def go(search, plan, store, runs):
    """Let a search make so many more runs, one after another, each kept and planned as a batch does."""
    until = len(plan.runs) + runs
    while len(plan.runs) < until and not search.over:
        for run in search.ask():
            store.write_plan(plan)
            search.tell(run.id, "ok", 1.0, keep(store, run))
    return [run.id for run in plan.runs]


def test_it_comes_nearer_than_chance_does(search):
    values = {}
    for sampler in ("tpe", "random"):
        form = SEARCH.replace("runs: 12}", f"runs: 40}}\n    sampler: {sampler}")
        started, plan, store = search(form, sampler)
        go(started, plan, store, 40)
        values[sampler] = sorted(1 - quality(run.parameters) for run in plan.runs[20:])
    assert values["tpe"][10] < values["random"][10] / 3  # the median of the second half


def test_stopped_and_resumed_it_proposes_what_it_would_have_proposed(search):
    whole = go(*search(out="whole"), 12)
    assert go(*search(), 5) == whole[:5]
    started, plan, store = search()
    assert [run.id for run in plan.runs] == whole[:5]
    assert go(started, plan, store, 99) == whole
    assert started.over


def test_a_run_that_was_killed_runs_again_and_none_is_proposed_twice(search):
    started, plan, store = search()
    go(started, plan, store, 3)
    (lost,) = started.ask()
    store.write_plan(plan)  # ... and killed: it has no folder
    started, plan, store = search()
    assert plan.runs[3].id == lost.id
    assert len(started.study.trials) == 4
    assert started.study.trials[3].state.name == "RUNNING"
    assert lost.id not in {run.id for run in started.ask()}


def test_another_range_keeps_what_still_lies_in_it_and_a_higher_budget_goes_on(search):
    before = go(*search(), 6)
    _, plan, store = search(SEARCH.replace("uniform: [0, 1]", "uniform: [0, 0.5]"))
    inside = [run.id for run in read_plan(store.folder).runs if run.varied["rate"] <= 0.5]
    assert [run.id for run in plan.runs] == inside != before
    started, plan, _ = search(SEARCH.replace("runs: 12", "runs: 20"))
    assert [run.id for run in plan.runs] == before
    assert not started.over


def test_it_ends_when_its_runs_took_the_time_or_every_setting_has_been_run(search):
    started, plan, store = search(SEARCH.replace("runs: 12", "time: 3 s"))
    assert len(go(started, plan, store, 99)) == 3
    assert started.end.startswith("The search ends: its runs have taken 3.0 s, and the budget is 3.0 s.")
    few = SEARCH.replace("{rate: {uniform: [0, 1]}, steps: {integers: [1, 9]}}", "{steps: {choice: [2, 3]}}")
    started, plan, store = search(few, "few")
    assert len(go(started, plan, store, 99)) == 2
    assert started.over
    assert started.end == "The search ends: it has proposed every setting that there is."


def test_repeats_make_one_value_and_a_failed_run_makes_a_setting_the_worst(search):
    text = SEARCH + "repeats: {seed: [0, 1]}\n"
    started, *_ = search(text)
    first, second = started.ask()
    assert first.parameters | {"seed": 1} == second.parameters
    for run, value in ((first, 0.5), (second, 0.7)):
        started.tell(run.id, "ok", 1.0, {"recorded": {"quality": value}})
    assert started.study.trials[0].value == pytest.approx(0.6)
    for run in started.ask():
        started.tell(run.id, "failed", 1.0, {})
    assert started.study.trials[1].state.name == "PRUNED"


@pytest.mark.parametrize("rule", ["median", "hyperband"])
def test_a_run_behind_the_others_is_told_to_end(search, rule):
    started, *_ = search(SEARCH + f"    prune: {{watch: accuracy, rule: {rule}}}\n")
    for _ in range(9):
        (run,) = started.ask()
        rows = [{"epoch": n, "accuracy": 0.9} for n in (1, 2, 3, 4)]
        for row in rows:
            started.hopeless(run.id, row)
        started.tell(run.id, "ok", 1.0, {"recorded": {"quality": 0.9}, "epochs": rows})
    (run,) = started.ask()
    told = [started.hopeless(run.id, {"epoch": n, "accuracy": 0.1}) for n in (1, 2, 3)]
    assert any(told)
    assert not started.hopeless(run.id, {"epoch": 1, "valid_loss": 9.0})  # another column


def test_an_objective_that_nothing_records_is_a_sentence(search):
    started, *_ = search(SEARCH.replace("quality", "qualty"))
    (run,) = started.ask()
    with pytest.raises(K2CError, match="no objective: There is no result 'qualty'; did you mean 'quality'"):
        started.tell(run.id, "ok", 1.0, {"recorded": {"quality": 1.0, "series": [1, 2]}})
    started, *_ = search(SEARCH + "    prune: {watch: acuracy}\n", "other")
    (run,) = started.ask()
    with pytest.raises(K2CError, match="after an epoch 'acuracy'; did you mean 'accuracy'"):
        started.tell(run.id, "ok", 1.0, {"recorded": {"quality": 1.0}, "epochs": [{"accuracy": 1.0}]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SEARCH.replace("{runs: 12}", "{}"), "give runs, such as 24, or time"),
        (SEARCH + "    prune: {watch: valid_loss}\n", "less of valid_loss is better, and more of quality"),
        (SEARCH + "    prune: {watch: accuracy}\nrepeats: {seed: [0, 1]}\n", "leave out repeats or prune"),
        (SEARCH + "filter: steps < 3\n", "a search takes no filter"),
        (SEARCH.replace("[1, 9]", "[1, 99]"), "steps"),
        (SEARCH + "    sampelr: tpe\n", "did you mean 'sampler'"),
    ],
)
def test_what_is_no_search_is_refused_with_a_sentence(search, text, said):
    with pytest.raises(K2CError, match=said):
        search(text)


def test_the_report_names_the_best_what_it_cost_and_has_optunas_plots(search):
    started, plan, store = search()
    go(started, plan, store, 12)
    text = write_batch_report(store.folder).read_text()
    best = max(plan.runs, key=lambda run: quality(run.parameters))
    at = plan.runs.index(best) + 1
    assert f"Best quality: {quality(best.parameters):.5g}, with rate = {best.varied['rate']:.4g}" in text
    assert f"came with run {at} of 12" in text
    assert f"That took {at} runs and {at}.0 s of running" in text
    assert "would have 25 runs and take 25.0 s" in text
    titles = ("Each setting, and the best so far", "How much each parameter decides", "all others aside")
    assert all(title in text for title in titles)


def test_compared_with_a_grid_it_says_what_either_cost(search, tmp_path):
    started, plan, store = search()
    go(started, plan, store, 12)
    grid = "lecture: 00\nsweep: {grid: {rate: [0.1, 0.6], steps: [2, 8]}}\n"
    (tmp_path / "grid.yml").write_text(grid)
    made, kept = plan_batch(tmp_path / "grid.yml", tmp_path / "grid"), Store(tmp_path / "grid")
    kept.folder.mkdir()
    kept.write_plan(made)
    for run in made.runs:
        keep(kept, run)
    best = max(quality(run.parameters) for run in made.runs)
    reached = next(n for n, run in enumerate(plan.runs, start=1) if quality(run.parameters) >= best)
    with (tmp_path / "said.txt").open("w+") as file:
        compare_batches(kept.folder, store.folder, Terminal(file=file, width=300))
    said = (tmp_path / "said.txt").read_text()
    assert f"grid: best quality {best:.5g}, of 4 settings, 4 runs and 4.0 s of running." in said
    assert f"reached the best of {kept.folder} with run {reached}, after {reached}.0 s" in said


def test_mlflow_gets_parameters_results_and_epochs(search, tmp_path):
    started, plan, store = search(SEARCH.replace("runs: 12", "runs: 2"))
    for (run,) in (started.ask(), started.ask()):
        epochs = [{"epoch": 1, "accuracy": 0.5}, {"epoch": 2, "accuracy": 0.75}]
        results = {"recorded": {"quality": 0.5, "95% ../ wide": 1.0}, "guards": [], "epochs": epochs}
        started.tell(run.id, "ok", 1.0, keep(store, run, results=results))
    store.write_plan(plan)
    assert export_mlflow(read_batch_table(store.folder), store.folder, tmp_path / "ml") == 2
    (experiment,) = (tmp_path / "ml").iterdir()
    runs = {
        yaml.safe_load(path.read_text())["run_name"]: path.parent for path in experiment.glob("*/meta.yaml")
    }
    assert set(runs) == {run.id for run in plan.runs}
    folder = runs[run.id]
    assert (folder / "params/rate").read_text() == str(run.parameters["rate"])
    assert (folder / "metrics/quality").read_text().split()[1:] == ["0.5", "0"]
    assert [line.split()[1:] for line in (folder / "metrics/epoch/accuracy").read_text().splitlines()] == [
        ["0.5", "1"],
        ["0.75", "2"],
    ]
    assert {path.name for path in (folder / "metrics").iterdir()} > {"95_ _", "quality"}


def start(tmp_path, *words):
    command = [sys.executable, "-m", "k2c", "batch", *words, "--workers", "1"]
    return subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_run_that_is_behind_is_ended_on_a_cluster_too(search, tmp_path, k2c, edit_cell):
    pytest.importorskip("distributed")
    edit_cell("claim", EPOCHS)
    text = SEARCH.replace("runs: 12", "runs: 6").replace(", steps: {integers: [1, 9]}", "")
    started, plan, store = search(text + "    prune: {watch: accuracy}\n    seed: 4\n")
    for _ in range(5):  # the median rule ends none of the first five
        (run,) = started.ask()
        rows = [{"epoch": epoch, "accuracy": 1.0} for epoch in (1, 2, 3)]
        keep(store, run, results={"recorded": {"quality": 1.0}, "guards": [], "epochs": rows})
    store.write_plan(plan)
    ended = k2c("batch", "trial.yml", "--out", "out", "--cluster", "local", "--workers", "1")
    assert "6 runs: 5 ok, 1 pruned." in ended.stdout, ended.stdout + ended.stderr
    table = read_batch_table(tmp_path / "out").frame.set_index("status")
    metrics = json.loads((tmp_path / "out" / table.loc["pruned", "run"] / "metrics.json").read_text())
    assert len(metrics["epochs"]) == 1
    assert table.loc["pruned", "worker"] == "0"


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_killed_and_resumed_the_command_finishes_the_search(tiny_course, tmp_path, k2c, edit_cell):
    edit_cell("claim", EPOCHS)
    text = SEARCH.replace("runs: 12", "runs: 7").replace(", steps: {integers: [1, 9]}", "")
    (tmp_path / "trial.yml").write_text(text + "    prune: {watch: accuracy}\n    seed: 4\n")
    process = start(tmp_path, "trial.yml", "--out", "out")
    while len(list((tmp_path / "out").glob("00_*/run.json"))) < 2:
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = [run.id for run in read_plan(tmp_path / "out").runs]
    process = start(tmp_path, "resume", "out")
    process.stdout.close()  # as `| head -1` does: who reads has gone, and the runs are made all the same
    assert process.wait(300) == 0
    ended = k2c("batch", "resume", "out", "--workers", "1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = read_batch_table(tmp_path / "out").frame
    assert list(table["run"])[: len(before)] == before
    assert set(table["status"]) == {"ok", "pruned"}
    pruned = table[table["status"] == "pruned"]
    assert list(pruned["rate"]) == [pytest.approx(0.97, abs=0.01)]
    folder = tmp_path / "out" / pruned["run"].iloc[0]
    notebook = (folder / "notebook.ipynb").read_text()
    assert "The search ended it early" in notebook
    assert EPOCH_MIME not in notebook
    assert len(json.loads((folder / "metrics.json").read_text())["epochs"]) == 1
    assert "7 runs: 6 ok, 1 pruned." in ended.stdout
