"""A batch file is checked as a whole before anything starts, and becomes a table of runs."""

import textwrap
from itertools import pairwise

import pytest

from k2c._system.paths import project_root
from k2c.errors import K2CError
from k2c.runs.batch import plan_batch, read_batch, read_plan

SHIPPED = sorted((project_root() / "course/batches").glob("*.yml"))


@pytest.fixture
def plan_of(tiny_course, tmp_path):
    def plan(text):
        path = tmp_path / "trial.yml"
        path.write_text(textwrap.dedent(text))
        return plan_batch(path, path.parent / "out")

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
        "line 4: source must be one of here, there, not 'nowhere'.",
        "line 5: There is no parameter 'stepz'; did you mean 'steps'?",
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
            "one of grid, zip, random, search and list",
        ),
        ("lecture: '00'\nsweep: {grid: {steps: [1]}}\nfilter: steps > 1\n", "leaves none of the 1 settings"),
        (
            "lecture: '00'\nsweep: {grid: {steps: [1]}}\nfilter: stebs > 1\n",
            "no parameter 'stebs'; did you mean 'steps'?",
        ),
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


GRID = "lecture: '00'\nsweep: {grid: {steps: [1, 2, 3], rate: [0, 0.5], source: [here, there]}}\n"
RANDOM = "sweep: {random: {samples: 2, parameters: {%s}}}\n"
ALIASES = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghij")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ALIASES, "an alias stands inside what another alias stands for"),
        ("fixed: " + "[" * 5000, "line 2: lists and mappings are nested more than 40 deep"),
        ("fixed: !!python/object:os.system {}", "line 2: the tag !!python/object:os.system is not allowed"),
        ("fixed: {seed: .inf}", "line 2: seed must be a whole number, not inf."),
        ("fixed: {seed: 1e999}", "line 2: seed must be a whole number, not inf."),
        ("fixed: {rate: .nan}", "line 2: rate must be a number from 0 to 1, not nan."),
        ("fixed: {seed: 1%s}" % ("0" * 30), "line 2: seed must be a whole number, not such a large number."),
        ("fixed: {source: no}", "not 'no'."),
        ("fixed: {source: %s}" % ("x" * 100_000), "xxx…."),
        ("fixed: {%s: 1}" % ("x" * 1000), "xxx…'."),
        ("fixed: {rate: [1]}", "line 2: fixed.rate: here stands one value: a number, text, true or false."),
        ("limits: {time: 1.2.3 s}", "a time is a number of seconds, or text such as"),
        ("limits: {time: .inf}", "line 2: limits.time: input should be less than"),
        ("limits: {memory: 1e500 GB}", "line 2: limits.memory: a size is a number of bytes, or text such as"),
        ("sweep: all", "line 2: sweep: here stand entries, each with its name and a colon."),
        ("sweep: {zip: {}}", "line 2: sweep.zip: dictionary should have at least 1 item"),
        (RANDOM % "steps: {uniform: [1, 3]}", "steps is a whole number: draw it with integers: [least, greatest]."),
        (RANDOM % "rate: {uniform: [.nan, 1]}", "rate must be a number from 0 to 1, not nan."),
        (RANDOM.replace("2", "1000000000") % "rate: {uniform: [0, 1]}", "less than or equal to 100000"),
        (
            "sweep: {grid: {" + ", ".join(f"{n}: [{'1, ' * 9000}]" for n in ("steps", "rate", "seed")) + "}}",
            "The batch has 729,000,000,000 runs; 100,000 is the most.",
        ),
        (
            f"sweep: {{list: [{'{steps: 1}, ' * 400}]}}\nrepeats: {{seed: [{'1, ' * 300}]}}",
            "The batch has 120,000 runs",
        ),
        ("sweep:\n grid:\n  steps:\n" + "".join(f"  - {n}\n" for n in range(10, 99)), "and 69 more."),
        ('"\\e[2J\\u202e": 1', r"There is no entry '\x1b[2J\u202e'"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_with_a_short_sentence(plan_of, text, said):
    with pytest.raises(K2CError) as caught:
        plan_of(f"lecture: 00\n{text}")
    message = str(caught.value)
    assert said in message
    assert len(message) < 3000
    assert message.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("steps <= 2 and not source == 'here'", 4),
        ("1 < steps < 3 or rate > 0.4", 8),
        ("source in ['there', 'nowhere']", 6),
        ("steps not in (1, 2)", 4),
        ("steps * steps + rate * 2 - 1 >= 9 // 1", 2),
        ("steps % 2 == 1\n  and rate / 2 < 1", 8),
    ],
)
def test_a_filter_compares_and_calculates(plan_of, written, kept):
    assert len(plan_of(GRID + f"filter: |\n  {written}\n").runs) == kept


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("9**9**9**9 > 1", "is neither a comparison nor a calculation"),
        ("steps > 1 / rate", "cannot be calculated for steps = 1, rate = 0.0: float division by zero"),
        ("steps ** 2 > 1", "is neither a comparison nor a calculation"),
        ("source * 1000000000 == 'a'", "`source` is no number to calculate with"),
        ("'%999999999d' % steps == 'a'", "is no number to calculate with"),
        ("__import__('os').system('true') == 0", "is neither a comparison nor a calculation"),
        ("@steps > 1", "invalid syntax"),
        ("steps.real > 1", "`steps.real` is neither"),
        ("[s for s in [1]] == 1", "is neither"),
        ("(steps > 1) & (rate > 0)", "and, or and not join comparisons"),
        ("steps > 'a'", "cannot be calculated for steps = 1: '>' not supported"),
        ("steps in source", "cannot be calculated for steps = 1, source = "),
        ("steps", "it gives a value, and compares nothing"),
        ("(" * 300 + "steps" + ")" * 300 + " > 1", "too many nested parentheses"),
        ("-" * 990 + "steps > 1", "it is nested too deeply"),
        ("steps > 1 or " * 100 + "rate > 1", "it has 1,308 characters, and 1,000 are the most"),
        ("steps\x00 > 1", "is not valid YAML: line 3: the control character"),
    ],
)
def test_a_filter_that_is_more_than_a_comparison_is_refused(plan_of, written, said):
    with pytest.raises(K2CError) as caught:
        plan_of(GRID + f'filter: "{written}"\n')
    assert said in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_of_another_encoding_is_read_and_kept(tiny_course, tmp_path):
    (tmp_path / "trial.yml").write_bytes("# größer\nlecture: 00\n".encode("utf-16"))
    assert read_batch(tmp_path / "trial.yml").lecture == "00_tiny"


def test_a_grid_crosses_and_a_filter_and_repeats_apply(plan_of, tmp_path):
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
    (tmp_path / "plan.json").write_text(plan.to_json(), encoding="utf-8")
    assert read_plan(tmp_path) == plan


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
    plan = plan_batch(path, path.parent / "out")
    assert plan.most_runs > 3
    assert path.read_text().startswith("# ")


def test_a_dry_run_shows_the_table_and_a_time(tiny_course, tmp_path, k2c):
    (tmp_path / "trial.yml").write_text("lecture: 00\nsweep: {grid: {steps: [1, 2, 7]}}\n")
    shown = k2c("batch", "trial.yml", "--dry-run").stdout
    assert "steps" in shown
    assert "3 runs, 3 to do. At most about 4 min 30 s: none was run here yet" in shown
    assert not (tmp_path / "runs").exists()
