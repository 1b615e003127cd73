"""What `k2c bench` keeps, and when it says that a figure fell."""

import io

import pandas as pd
import pytest

from k2c._system.terminal import Terminal
from k2c.bench import available, run_benchmarks, time_row, turns
from k2c.bench.comparison import _benchmarks
from k2c.bench.history import add_to_history, print_trend
from k2c.errors import K2CError


def measured(ratio, name="step"):
    return [time_row(name, times=([1.0], [ratio]), target=1, detail="")]


def verdicts(file, *ratios, quick=False):
    return [add_to_history(measured(ratio), file, quick=quick)["verdict"].item() for ratio in ratios]


def test_a_ratio_below_the_noise_of_the_earlier_ones_is_marked(tmp_path):
    file = tmp_path / "new folder/history.csv"
    told = verdicts(file, 2.5, 2.45, 2.55, 2.4, 2.0, 3.5)
    assert told == ["nothing to compare with before 3 earlier runs"] * 3 + ["within noise", "lower", "higher"]
    table = pd.read_csv(file)
    assert table["ratio"].tolist() == [2.5, 2.45, 2.55, 2.4, 2.0, 3.5]
    assert table.columns[:5].tolist() == ["date", "machine", "commit", "kind", "name"]
    assert table["machine"].nunique() == table["commit"].nunique() == 1


def test_figures_of_steady_runs_may_differ_by_five_percent(tmp_path):
    assert verdicts(tmp_path / "history.csv", 2.0, 2.0, 2.0, 1.91, 1.89)[3:] == ["within noise", "lower"]


def test_other_machines_other_figures_and_quick_runs_are_not_compared(tmp_path):
    file = tmp_path / "history.csv"
    verdicts(file, 2.5, 2.5, 2.5, quick=True)
    add_to_history(measured(2.5, "another"), file, quick=False)
    table = pd.read_csv(file)
    elsewhere = table.assign(machine="another", kind="full", name="step")
    pd.concat([table, elsewhere]).to_csv(file, index=False)
    found = add_to_history(measured(1.0), file, quick=False)
    assert found["earlier"].item() == []


def test_the_trend_is_shown_with_its_verdict(tmp_path):
    file, text = tmp_path / "history.csv", io.StringIO()
    verdicts(file, 2.5, 2.5, 2.5)
    print_trend(add_to_history(measured(1.5), file, quick=False), file, Terminal(file=text, width=120))
    (line,) = (line for line in text.getvalue().splitlines() if "step" in line)
    assert line.split() == ["step", "2.5", "2.5", "2.5", "1.5", "lower"]


WORDS = "date,machine,commit,kind,name,ours,reference,unit,ratio\n2026,this,1,full,step,1,2,s,fast\n"


@pytest.mark.parametrize("content", ["name,points\nada,3\n", "", "a\nb,c\n", WORDS])
def test_another_file_is_not_written_over(content, tmp_path):
    file = tmp_path / "grades.csv"
    file.write_text(content)
    with pytest.raises(K2CError, match=r"grades.csv is not a history of benchmarks. Move it away"):
        add_to_history(measured(1.0), file, quick=False)
    assert file.read_text() == content


def test_a_quick_run_takes_a_fifth_of_the_turns_and_no_batch(monkeypatch):
    ran = {}
    available()  # the modules register their benchmarks when they are imported, here and not below
    for name in ("batch", "mnist"):
        monkeypatch.setitem(
            _benchmarks, name, lambda name=name: ran.setdefault(name, [turns(15), turns(3)]) and []
        )
    for name in set(_benchmarks) - {"batch", "mnist"}:
        monkeypatch.setitem(_benchmarks, name, list)
    run_benchmarks(quick=True)
    assert ran == {"mnist": [3, 1]}
    run_benchmarks(["batch"])
    assert ran["batch"] == [15, 3]
