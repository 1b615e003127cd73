"""A batch file is checked as a whole before anything starts, and becomes a table of runs."""

import textwrap

import pytest

from k2c.errors import K2CError
from k2c.paths import project_root
from k2c.runs import source
from k2c.runs.batch import Plan, make_plan, read_batch
from k2c.syllabus import load_syllabus

SHIPPED = sorted((project_root() / "course/batches").glob("*.yml"))


@pytest.fixture(autouse=True)
def fresh_course():
    """Forget the course that an earlier test has read."""
    yield
    load_syllabus.cache_clear()
    source._source_hash.cache_clear()


@pytest.fixture
def plan_of(tiny_course, tmp_path):
    load_syllabus.cache_clear()
    source._source_hash.cache_clear()

    def plan(text):
        path = tmp_path / "trial.yml"
        path.write_text(textwrap.dedent(text))
        return make_plan(read_batch(path), path.stem, path.parent, path.parent / "out")

    return plan


def varied(plan):
    return [tuple(run.varied.values()) for run in plan.runs]


def test_every_problem_is_listed_with_its_line(plan_of):
    with pytest.raises(K2CError) as caught:
        plan_of(
            """\
            lecture: "00"
            profle: smoke
            fixed:
              source: nowhere
              stepz: 3
            sweep:
              grid:
                steps: [1, 2, ten]
                rate: []
            repeats: {seed: [0, 0.5], rate: [1]}
            limits: {time: 10 minutes, retries: -1}
            fixed: {source: there}
            """
        )
    lines = str(caught.value).splitlines()[1:]
    expected = [
        "line 2: There is no entry 'profle'; did you mean 'profile'?",
        "line 8: steps must be a whole number from 1 to 9, not 'ten'.",
        "line 9: sweep.grid.rate:",
        "line 10: repeats:",
        "line 10: seed must be a whole number, not 0.5.",
        "line 11: limits.retries:",
        "line 11: limits.time: a time is a number of seconds, or text such as 90 s, 10 min or 1.5 h.",
        "line 12: fixed is given twice.",
    ]
    assert len(lines) == len(expected), lines
    for start in expected:
        assert any(line.strip().startswith(start) for line in lines), start
    assert lines == sorted(lines, key=lambda line: int(line.split()[1].rstrip(":")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lecture: 7\n", "no lecture '07'"),
        ("- a\n", "is not a batch"),
        ("lecture: [00\n", "not valid YAML: line 2"),
        (
            "lecture: '00'\nfixed: {rate: 1}\nsweep: {grid: {rate: [0, 1]}}\n",
            "line 3: rate is set in fixed already",
        ),
        (
            "lecture: '00'\nsweep: {zip: {steps: [1, 2], rate: [0]}}\n",
            "equally long; here steps has 2, rate has 1",
        ),
        (
            "lecture: '00'\nsweep: {grid: {steps: [1]}, list: [{steps: 1}]}\n",
            "one of grid, zip, random and list",
        ),
        ("lecture: '00'\nsweep: {grid: {steps: [1]}}\nfilter: steps > 1\n", "leaves none of the 1 settings"),
        ("lecture: '00'\nsweep: {grid: {steps: [1]}}\nfilter: stebs > 1\n", "'stebs' is not defined"),
        (
            "lecture: '00'\nsweep: {random: {samples: 2, parameters: {rate: {uniform: [1, 0]}}}}\n",
            "the least value comes first",
        ),
        (
            "lecture: '00'\nsweep: {random: {samples: 2, parameters: {rate: {uniform: [0, 2]}}}}\n",
            "rate must be a number from 0 to 1, not 2",
        ),
    ],
)
def test_what_cannot_run_is_refused_with_a_sentence(plan_of, text, said):
    with pytest.raises(K2CError, match=r"."):
        try:
            plan_of(text)
        except K2CError as error:
            assert said in str(error)
            raise


def test_a_grid_crosses_and_a_filter_and_repeats_apply(plan_of):
    plan = plan_of(
        """\
        lecture: 00
        fixed: {source: there}
        sweep:
          grid: {steps: [1, 2], rate: [0, 0.5, 1]}
        repeats: {seed: [3, 4]}
        filter: steps + rate <= 2
        """
    )
    assert varied(plan) == [
        (s, r, seed) for s, r in ((1, 0.0), (1, 0.5), (1, 1.0), (2, 0.0)) for seed in (3, 4)
    ]
    assert (plan.kind, plan.parameters, plan.repeat) == ("grid", ["steps", "rate"], "seed")
    assert {run.parameters["source"] for run in plan.runs} == {"there"}
    assert len({run.id for run in plan.runs}) == 8
    assert Plan.from_json(plan.to_json()) == plan


def test_a_zip_pairs_and_a_list_lists(plan_of):
    assert varied(plan_of("lecture: 00\nsweep: {zip: {steps: [1, 2], rate: [0, 1]}}\n")) == [
        (1, 0.0),
        (2, 1.0),
    ]
    plan = plan_of("lecture: 00\nprofile: smoke\nsweep: {list: [{rate: 1}, {steps: 5}, {rate: 1}]}\n")
    # Equal settings are run once; what an entry leaves out is the profile's.
    assert [run.varied for run in plan.runs] == [{"rate": 1.0, "steps": 1}, {"rate": 0.5, "steps": 5}]


def test_a_random_sweep_is_the_same_for_the_same_seed(plan_of):
    text = """\
        lecture: 00
        sweep:
          random:
            samples: 50
            seed: {seed}
            parameters:
              steps: {{integers: [2, 4]}}
              rate: {{log_uniform: [0.001, 1]}}
              source: {{choice: [here, there]}}
        """
    first = varied(plan_of(text.format(seed=1)))
    assert first == varied(plan_of(text.format(seed=1)))
    assert first != varied(plan_of(text.format(seed=2)))
    assert {steps for steps, _, _ in first} == {2, 3, 4}
    assert sum(rate < 0.0316 for _, rate, _ in first) in range(12, 39)  # half of them below the middle decade
    assert {source for _, _, source in first} == {"here", "there"}


def test_a_batch_without_a_sweep_is_one_run(plan_of):
    (run,) = plan_of("lecture: 00\n").runs
    assert (run.profile, run.varied, run.seed) == ("lecture", {}, 0)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_batches_are_valid_and_say_what_they_teach(path):
    plan = make_plan(read_batch(path), path.stem, path.parent, path.parent / "out")
    assert len(plan.runs) > 3
    assert path.read_text().startswith("# ")


def test_a_dry_run_shows_the_table_and_a_time(tiny_course, tmp_path, k2c):
    (tmp_path / "trial.yml").write_text("lecture: 00\nsweep: {grid: {steps: [1, 2, 7]}}\n")
    shown = k2c("batch", "trial.yml", "--dry-run").stdout
    assert "steps" in shown
    assert "3 runs, 3 to do. At most about 4 min 30 s: none was run here yet" in shown
    assert not (tmp_path / "runs").exists()
