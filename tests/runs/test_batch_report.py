"""The report of a batch: a table of its runs, plots that fit its sweep, failures by cause, two batches compared."""

import html
import itertools
import json
import math
import random
import re
import time

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from k2c._system.sealed import seal_json
from k2c._system.terminal import Terminal
from k2c.errors import K2CError
from k2c.runs.reports.batch import read_batch_table, write_batch_report
from k2c.runs.reports.batch.compare import compare_batches
from k2c.runs.reports.batch.plots import figures

EVIL = "</script><script>alert(1)</script><b>x</b>"
DEFAULTS = {"rate": 0.1, "size": 10, "source": "here", "extra": 1, "seed": 0}
FAILURES = {  # by the number of the run
    3: ("failed", "ZeroDivisionError in cell 5", "cell 5: ZeroDivisionError: division by zero"),
    4: ("failed", "ZeroDivisionError in cell 5", "cell 5: ZeroDivisionError: division by zero"),
    7: ("out of memory", "over the memory limit", EVIL),
}


def write_run(folder, run, status, cause, error, score):
    path = folder / run
    path.mkdir(parents=True)
    facts = {
        "status": status,
        "cause": cause,
        "error": error,
        "seconds": 1.5,
        "peak_memory": 2_000_000,
        "attempts": 1,
    }
    facts |= {"worker": "local", "started": "", "machine": {"cores": "2"}, "versions": {"torch": "2.6"}}
    guard = {
        "name": "score",
        "value": score,
        "low": 0.5,
        "high": None,
        "status": "ok" if score > 0.5 else "failed",
    }
    measured = {
        "recorded": {"noise": random.random(), "score": score, "series": [1, 2], "broken": "nan"},
        "guards": [guard],
        "exercises": {},
    }
    (path / "run.json").write_text(json.dumps(seal_json(facts)))
    (path / "metrics.json").write_text(json.dumps(seal_json(measured if status == "ok" else {})))
    (path / "notebook.ipynb").write_text("{}")


@pytest.fixture
def make_batch(tmp_path):
    """Return a function that writes the finished runs of a sweep (a grid by default) over seeds."""

    def make(name="batch", seeds=3, shift=0.0, failures=(), settings=None, **grid):
        random.seed(0)
        folder = tmp_path / name
        settings = settings or [
            dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
        ]
        runs = []
        for number, (setting, seed) in enumerate(itertools.product(settings, range(seeds))):
            parameters = DEFAULTS | setting | {"seed": seed}
            runs.append(
                {
                    "id": f"tiny-{number:04}",
                    "parameters": parameters,
                    "varied": setting,
                    "seed": seed,
                    "profile": "",
                }
            )
            score = math.tanh(parameters["rate"]) + parameters["size"] / 100 + shift + random.gauss(0, 0.01)
            failure = FAILURES[number] if number in failures else ("ok", "", "")
            write_run(folder, runs[-1]["id"], *failure, score)
        runs.append(runs[-1] | {"id": "tiny-missing"})
        plan = {
            "name": name,
            "lecture": "00_tiny",
            "title": EVIL,
            "profile": "lecture",
            "repeat": "seed",
            "runs": runs,
        }
        sweep = {"kind": "grid", "parameters": list(settings[0])}
        (folder / "plan.json").write_text(json.dumps(seal_json(plan | {"sweep": sweep})))
        return folder

    return make


def test_the_table_has_a_row_a_run(make_batch):
    folder = make_batch(rate=[0.1, 0.2, 0.3], failures=FAILURES)
    write_batch_report(folder)
    table = pd.read_csv(folder / "results.csv")
    assert len(table) == 10
    assert table["status"].value_counts().to_dict() == {
        "ok": 6,
        "failed": 2,
        "out of memory": 1,
        "not started": 1,
    }
    first = table.iloc[0]
    assert (first["rate"], first["seed"], first["seconds"], first["peak_memory_mb"]) == (0.1, 0, 1.5, 2.0)
    assert first["score"] == pytest.approx(0.2, abs=0.05)
    assert (first["score (claimed): claim"], first["claims"], first["page"]) == (
        "failed",
        "failed",
        "tiny-0000/notebook.ipynb",
    )
    assert (first["machine.cores"], first["version.torch"]) == (2, 2.6)
    parquet = pd.read_parquet(folder / "results.parquet")
    assert list(parquet) == list(table)
    assert parquet["score"].tolist() == pytest.approx(table["score"].tolist(), nan_ok=True)


@pytest.mark.parametrize(
    ("grid", "kinds"),
    [
        ({"extra": [1]}, ["scatter", "scatter"]),
        ({"rate": [0.1, 0.2, 0.4]}, ["scatter", "scatter"]),
        ({"source": ["here", "there"]}, ["scatter", "scatter"]),
        ({"rate": [0.1, 0.2], "source": ["a", "b"]}, ["scatter"] * 4),
        ({"rate": [0.1, 0.2], "size": [1, 2, 3]}, ["heatmap"]),
        ({"rate": [0.1, 0.2], "size": [1, 2], "source": ["a", "b"]}, ["parcoords"]),
    ],
)
def test_the_plot_fits_the_sweep_and_every_point_leads_to_its_runs(make_batch, grid, kinds):
    batch = read_batch_table(make_batch(**grid))
    figure, *more = figures(batch, "score")
    assert [trace.type for trace in figure.data] == kinds
    led_to = set()
    for trace in (*figure.data, *(trace for other in more for trace in other.data)):
        values = trace.z if trace.type == "heatmap" else [trace.y] if trace.type == "scatter" else []
        members = trace.customdata if trace.type == "heatmap" else [trace.customdata]
        for value, rows in zip(itertools.chain(*values), itertools.chain(*members), strict=False):
            assert batch.frame.loc[list(rows), "score"].mean() == pytest.approx(value)
            led_to |= set(rows)
    assert led_to == set(batch.done.index)


def test_points_drawn_at_random_are_no_heat_map(make_batch):
    settings = [{"rate": random.random(), "size": random.random()} for _ in range(9)]
    (figure,) = figures(read_batch_table(make_batch(settings=settings, seeds=1)), "score")
    assert figure.data[0].marker.color


def test_what_a_run_could_not_measure_is_a_gap_and_not_a_zero(make_batch):
    folder = make_batch(rate=[0.1, 1.0])
    unknown = {"name": "lost", "value": None, "low": None, "high": None, "status": "not measurable"}
    for run in folder.glob("tiny-*"):
        results = json.loads((run / "metrics.json").read_text())
        (run / "metrics.json").write_text(json.dumps(seal_json(results | {"guards": [unknown]})))
    batch = read_batch_table(folder)
    assert batch.frame["lost"].isna().all() and "lost" not in batch.metrics
    assert set(batch.done["claims"]) == {"not measurable"}
    page = write_batch_report(folder).read_text()
    assert "<td>lost</td><td></td><td></td><td></td><td>6</td>" in page


def test_failures_are_grouped_by_cause_and_nothing_that_a_run_wrote_runs(make_batch):
    folder = make_batch(rate=[0.1, 0.2, 0.3], source=[EVIL], failures=FAILURES)
    text = write_batch_report(folder).read_text()
    assert EVIL not in text
    assert html.escape(EVIL) in text
    assert text.count("ZeroDivisionError in cell 5</summary>") == 1
    assert "2 failed" in text
    assert json.loads(re.search(r'id="data">(.*?)</script>', text, re.S).group(1))["table"]["rows"]


def test_the_page_opens_on_what_the_sweep_moves(make_batch):
    text = write_batch_report(make_batch(rate=[0.1, 0.5, 1.0])).read_text()
    assert re.findall(r'<option value="([^"]*)"', text)[:2] == ["score", "noise"]


def test_the_page_opens_on_what_is_named_and_never_on_a_difference_of_rounding(make_batch):
    folder = make_batch(rate=[0.1, 0.5, 1.0], seeds=1)  # with one seed, nothing tells a result from noise
    for number, run in enumerate(sorted(folder.glob("tiny-*"))):
        results = json.loads((run / "metrics.json").read_text())
        rounding = {"by hand minus the layer": (number + 1) * 1e-9}
        results["recorded"] = rounding | results["recorded"]
        (run / "metrics.json").write_text(json.dumps(seal_json(results)))
    page = write_batch_report(folder).read_text()
    assert re.findall(r'<option value="([^"]*)"', page)[:3] == ["noise", "score", "by hand minus the layer"]
    plan = json.loads((folder / "plan.json").read_text()) | {"show": "score"}
    (folder / "plan.json").write_text(json.dumps(seal_json(plan)))
    assert re.search(r'<option value="([^"]*)"', write_batch_report(folder).read_text())[1] == "score"


def test_a_setting_that_ran_once_gets_advice(make_batch):
    once = write_batch_report(make_batch("once", rate=[0.1, 0.2], seeds=1)).read_text()
    assert "A setting that ran once has no interval" in once
    assert "Add `repeats: {seed: [0, 1, 2]}` to the batch file." in once
    assert "A setting that ran once" not in write_batch_report(make_batch(rate=[0.1, 0.2])).read_text()


def test_the_page_needs_no_network(make_batch):
    text = write_batch_report(make_batch(rate=[0.1, 0.2])).read_text()
    assert "default-src 'none'" in text
    assert not re.search(
        r'<(script|img)[^>]* src="(?!data:)|<link|@import|url\(', text.replace(get_plotlyjs(), "")
    )
    assert "Plotly.newPlot" in text


def test_a_thousand_runs_are_reported_within_ten_seconds(make_batch):
    folder = make_batch(rate=[n / 10 for n in range(10)], size=list(range(10)), seeds=10)
    started = time.process_time()
    write_batch_report(folder)
    assert time.process_time() - started < 10


def sentences(a, b, tmp_path):
    with (tmp_path / "said.txt").open("w+") as file:
        found = compare_batches(a, b, Terminal(file=file, width=300))
        file.seek(0)
        return {difference.metric: difference for difference in found}, file.read()


def test_a_difference_beyond_the_noise_is_told_from_one_within(make_batch, tmp_path):
    a = make_batch("a", rate=[0.1, 0.2], size=[1, 2], seeds=5)
    better = make_batch("better", rate=[0.1, 0.2], size=[1, 2], seeds=5, shift=0.05)
    same = make_batch("same", rate=[0.2, 0.4], size=[2, 3], seeds=4, shift=0.001)
    found, said = sentences(a, better, tmp_path)
    assert found["score"].differs
    assert found["score"].after - found["score"].before == pytest.approx(0.05)
    assert "score" in said and "differs beyond the noise of the repeats" in said and "Holm" in said
    found, said = sentences(a, same, tmp_path)  # one setting in common, with other seeds
    assert not found["score"].differs
    assert "no difference beyond the repeats' noise" in said


def test_without_repeats_a_difference_is_not_judged(make_batch, tmp_path):
    a, b = make_batch("a", rate=[0.1], seeds=1), make_batch("b", rate=[0.1], seeds=1, shift=1)
    assert "nobody knows" in sentences(a, b, tmp_path)[1]


def test_batches_that_share_no_setting_are_not_compared(make_batch, tmp_path):
    a, b = make_batch("a", rate=[0.1, 0.2]), make_batch("b", rate=[0.3, 0.4])
    with pytest.raises(K2CError, match="cannot be compared"):
        sentences(a, b, tmp_path)
    with pytest.raises(K2CError, match=r"has no plan\.json"):
        sentences(a, tmp_path, tmp_path)
