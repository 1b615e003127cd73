"""Every command that README, the site's pages, CONTRIBUTING and `--help` show is executed, as it is written there.

The commands are typed into a shell that stands in a small kit (`conftest.py`): the real Makefile, `.ci/run`,
syllabus entries, solutions and pages, with lectures of a few cells, batches of one run, and folders that stand in for
the reader's own. Environment variables lead there (`K2C_HOME`, `K2C_DATA`, `HOME`); `K2C_HOME` is not set where the
real course is quick enough.
"""

import os
import re
import signal
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from k2c.cli import main
from k2c.course.syllabus import load_syllabus
from k2c.runs.grading.bubblewrap import Bubblewrap

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "course/site").glob("*.md"))]
# A word in capitals stands for one of the reader's.
FILLED = {"COMMAND": "batch", "NN": "01", "/path/to/mail": "$PWD/mail"}


@dataclass
class Shown:
    """What a command shows: text in what it prints, files that were not there before, and its exit status."""

    says: str
    writes: tuple[str, ...] = ()
    status: int = 0
    real_course: bool = False


EXECUTED = {
    "k2c --help": Shown("Commands:"),
    "k2c run --help": Shown("--profile"),
    "k2c COMMAND --help": Shown("Usage: k2c batch"),
    "k2c list": Shown(r"06_distributed_chest_xray(?s:.)*learning_rate", real_course=True),
    "k2c run 02": Shown("Report: runs/", ("runs/*/index.html", "runs/*/02_*/notebook.ipynb")),
    "k2c run 02 -p epochs=5 -p learning_rate=0.1": Shown("Report: runs/", ("runs/*/index.html",)),
    "k2c run --profile full": Shown(
        "Report: runs/", ("runs/*/01_*/metrics.json", "runs/*/05_*/metrics.json")
    ),
    "k2c run 01 -p source=/path/to/mail": Shown("Report: runs/", ("runs/*/index.html",)),
    "k2c batch course/batches/fundus_data_quality.yml": Shown(
        "1 runs: 1 ok", ("runs/fundus_data_quality/index.html",)
    ),
    "k2c batch course/batches/name.yml --dry-run": Shown("1 run"),
    "k2c slides 02": Shown(
        r"\d+ slides: runs/slides/02_lenet_mnist.html", ("runs/slides/02_lenet_mnist.html",), real_course=True
    ),
    "k2c build student handout/": Shown(
        "6 notebooks", ("handout/notebooks/06_*.ipynb", "handout/course/checks/01_*.json"), real_course=True
    ),
    "k2c build solutions solved/": Shown("6 notebooks", ("solved/06_*.ipynb",), real_course=True),
    "k2c grade submissions/": Shown(
        "graded  ada  1 of 1 right", ("submissions-graded/grades.csv", "submissions-graded/index.html")
    ),
    "k2c grade class.zip --roster Grades.csv": Shown(
        "graded  Ada Lovelace  1 of 1 right(?s:.)*moodle: read 1 files of 1 students",
        ("class-graded/moodle-worksheet.csv", "class-graded/feedback.zip", "class-graded/class.html"),
    ),
    "k2c grade submissions/ --unconfined": Shown(
        "NONE .--unconfined.(?s:.)*graded  ada  1 of 1 right", ("submissions-graded/grades.csv",)
    ),
    "k2c predict photographs/ --csv answers.csv": Shown(
        "1 image predicted: answers.csv", ("answers.csv",), real_course=True
    ),
    "k2c fine-tune photos mine.pt --mistakes mistakes.html": Shown(
        r"all +4 .*(?s:.)*of 4 held-out images right(?s:.)*Model: mine.pt", ("mine.pt", "mistakes.html")
    ),
    "k2c predict new --model mine.pt --csv answers.csv --html answers.html": Shown(
        "1 image predicted: answers.csv, answers.html", ("answers.csv", "answers.html")
    ),
    "k2c export mine.pt --to page": Shown(r"Page: mine.html \(\d+\.\d MB\)", ("mine.html",)),
    "k2c export mine.pt --to onnx": Shown(r"ONNX: mine.onnx \(\d+\.\d MB\)", ("mine.onnx",)),
    'eval "$(_K2C_COMPLETE=bash_source k2c)"': Shown("^$"),
    "k2c list 02": Shown("02_lenet_mnist(?s:.)*learning_rate", real_course=True),
    "k2c list --json": Shown('"06_distributed_chest_xray": {', real_course=True),
    "k2c train all_reduce chest_films --workers 2": Shown(
        r"epoch 1, train_loss 0.3\d+, (?s:.)*epoch 3, train_loss 0.3", real_course=True
    ),
    "k2c train all_reduce blobs --workers 4 -p epochs=2 -o compression=fp16": Shown(
        r"epoch 2, train_loss 0\.\d+, valid_loss"
    ),
    "k2c data fetch": Shown("mnist: .*cache/mnist", ("cache/mnist/digits",)),
    "k2c data list": Shown("CC BY-SA 3.0", real_course=True),
    ".venv/bin/k2c notebooks NN": Shown("01_spam_naive_bayes"),
    "make run": Shown("Report: runs/", ("runs/*/index.html", "runs/*/05_*/notebook.ipynb")),
    "make doctor": Shown("Every lecture can run here"),
    "make format": Shown("left unchanged"),
    "source .venv/bin/activate": Shown("^$"),
    ".ci/browser": Shown("1 passed"),
    # All that a clean checkout is asked: ruff, mypy, the tests and, by nbval, the notebooks side by side.
    ".ci/run": Shown(r"All checks passed!(?s:.)*no issues found(?s:.)*\d\d passed"),
}
# These are what another one above executes.
EXECUTED_BY = {
    "k2c run": "make run",
    "k2c lab": "make lab",
    "k2c doctor": "make doctor",
    "make test": ".ci/run",
    "make browser": ".ci/browser",
    "make slurm": ".ci/slurm",
    "pytest -n 3 --dist loadfile --no-loadscope-reorder --nbval --nbval-current-env --nbval-cell-timeout=900 "
    "--nbval-sanitize-with=tests/notebooks/sanitize.cfg notebooks tests": "make test",
}
# These are another way to write one above: they name the same lecture.
SAME = {"k2c run 2": "k2c run 02", "k2c run lenet": "k2c run 02"}
# JupyterLab runs until it is told to stop: asked over HTTP, then told so.
LABS = [
    "make lab",
    "K2C_OFFLINE=1 k2c lab",
    "k2c lab -- --no-browser --port 8899",
    "k2c lab -- --no-browser --ip=127.0.0.1",
]
NOT_EXECUTED = {
    "k2c batch FILE": "as with fundus_data_quality.yml",
    "k2c batch compare": "tests/runs/test_search.py",
    "k2c batch compare GRID SEARCH": "tests/runs/test_search.py",
    "k2c batch export runs/lenet_search --mlflow mlruns": "tests/runs/test_search.py",
    "k2c batch course/batches/lenet_search.yml": "as with fundus_data_quality.yml; tests/runs/test_search.py searches",
    "k2c site": "tests/runs/test_site.py executes it; once is enough, it takes a minute",
    "k2c predict --model": "the site's page shows it with a folder and a table, which is executed above",
    "k2c fine-tune": "as above, with a folder and a model",
    "k2c lab FOLDER": "tests/cli/test_commands.py; k2c lab is started below",
    'python -m pip install -e ".[export]"': "needs a network, and changes the environment",
    "k2c bench": "minutes of measuring on an idle machine; below, with one benchmark that stands in for all",
    "k2c bench mnist": "two minutes of measuring on an idle machine; below, as `k2c bench`",
    "k2c bench --quick": "minutes of measuring on an idle machine; below, as the one before",
    "pytest": "these tests themselves; `make test` executes it in the small kit",
    "python3 -m venv .venv": "test_environment.py executes it, installs torch, then executes make",
    "py -m venv .venv": "the launcher of Windows; `make` executes the same with python3",
    '.venv/Scripts/python -m pip install -c requirements.lock -e ".[dev]"': "Windows; `make` executes the same, "
    "and test_environment.py does so",
    ".venv/Scripts/k2c run": "Windows; k2c run",
    ".venv/Scripts/k2c lab": "Windows; k2c lab",
    "conda env create -f environment.yml": "needs conda and a network; test_environment.py reads the file",
    "conda activate k2c": "as above",
    "docker build -t k2c -f .devcontainer/Dockerfile .": "needs Docker; test_environment.py reads the file",
    "docker run --rm -p 8888:8888 k2c": "as above; k2c lab is started below",
    "docker run --rm k2c make run": "as above; make run is executed",
    "pip wheel --no-deps .": "needs a network for its builder; tests/datasets/test_mnist.py looks into a wheel",
    "python -m pip install notebook": "needs a network, and changes the environment",
    "jupyter notebook notebooks/": "needs the package of the line above",
    ".ci/slurm": "installs SLURM; a CI job of its own, whose tests type the commands of clusters.md",
    'python -m pip install -c requirements.lock -e ".[batch,cluster]"': "needs a network, and changes the environment",
    "k2c batch course/batches/fundus_data_quality.yml --cluster slurm.yml": "needs SLURM; tests/clusters, by .ci/slurm",
    "k2c batch resume runs/fundus_data_quality --cluster slurm.yml": "as above",
    "kubectl apply -f k2c.yml": "needs Kubernetes; tests/clusters checks the file and runs its containers' commands",
    "kubectl logs --follow job/k2c-batch": "as above",
    "kubectl delete job k2c-batch": "as above",
    "kubectl delete -f k2c.yml": "as above",
    "pre-commit install": "a program of the developer's; its hooks' commands are tested below",
}


def documented():
    """Return every command in the pages' code blocks and code spans, and in the helps, without its comment."""
    found = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```(?:sh|powershell)\n(.*?)^```", text, re.S | re.M):
            found |= {re.sub(r"\s+#.*", "", line).replace("\\", "/") for line in block.splitlines()}
        found |= spans(re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        found |= spans(notebook.read_text(encoding="utf-8"))
    for text in helps(main, click.Context(main, info_name="k2c")):
        found |= spans(" ".join(text.split()))
    return found - {""}


def spans(text):
    programs = "k2c|make|pytest|python3?|pip|jupyter|conda|docker|source|pre-commit"
    starts = rf"(?:\.venv/bin/)?(?:{programs})\s[^`]+|\.ci/\w+|pytest"
    return {" ".join(span.split()) for span in re.findall(rf"`((?:\w+=\S+ )?(?:{starts}))`", text)}


def helps(command, place):
    yield command.get_help(place)
    for name, under in getattr(command, "commands", {}).items():
        yield from helps(under, click.Context(under, parent=place, info_name=name))


def test_every_documented_command_is_executed_here_or_it_is_said_why_not():
    listed = {*EXECUTED, *EXECUTED_BY, *SAME, *LABS, *NOT_EXECUTED}
    assert documented() - listed == set(), "add them to the tables above"
    assert listed - documented() == set(), "no page shows them any more"


@pytest.mark.parametrize("command", EXECUTED)
def test_it_does_what_the_page_says(command, kit):
    shown, words = EXECUTED[command], command
    if command == "k2c grade submissions/" and (problem := Bubblewrap().problem()):
        pytest.skip(f"bubblewrap: {problem}")
    for placeholder, filled in FILLED.items():
        words = words.replace(placeholder, filled)
    for pattern in shown.writes:
        assert kit.files(pattern, remove=True) == []
    done = kit.shell(words, real_course=shown.real_course)
    assert done.returncode == shown.status, done.stdout
    assert re.search(shown.says, done.stdout), done.stdout
    assert "Traceback" not in done.stdout
    for pattern in shown.writes:
        assert kit.files(pattern), f"no {pattern}"


@pytest.mark.parametrize(("command", "other"), EXECUTED_BY.items())
def test_it_is_what_another_executes(command, other, kit):
    text = (ROOT / other).read_text() if other.startswith(".ci") else kit.shell(f"{other} --dry-run").stdout
    assert re.search(rf"{command}( |$)", text, re.M)


@pytest.mark.parametrize(("command", "other"), SAME.items())
def test_it_means_the_same_as_another(command, other):
    one, same = (load_syllabus().lecture_name(words.split()[-1]) for words in (command, other))
    assert one == same


@pytest.mark.parametrize("command", LABS)
def test_lab_answers_until_it_is_stopped(command, kit):
    process = kit.start(command)
    try:
        server = kit.wait_for_lab(process)
        with urllib.request.urlopen(
            f"{server['url']}lab/tree/02_lenet_mnist.ipynb?token={server['token']}"
        ) as page:
            assert page.status == 200
        assert Path(server["root_dir"]).samefile(kit.folder / "notebooks")
        assert server["hostname"] in ("localhost", "127.0.0.1")
        if "8899" in command:
            assert 8899 <= server["port"] < 8999  # the next free one where it is taken
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@pytest.mark.parametrize("words", [[], ["--quick"]], ids=["full", "quick"])
def test_bench_shows_each_figure_beside_its_reference(words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # it keeps a history there
    from k2c.bench import comparison, time_row

    quick = {"quick": lambda: [time_row("adding", ([1.0], [2.0]), 1.5, "once")]}
    monkeypatch.setattr(comparison, "_benchmarks", quick)
    monkeypatch.setattr(comparison, "available", lambda: ["quick"])
    done = CliRunner().invoke(main, ["bench", *words])
    assert done.exit_code == 0, done.output
    assert done.output.count("adding") == 3  # its figure, how it was measured, its trend
    assert (tmp_path / "runs/bench/history.csv").is_file()


def test_hooks_of_a_commit_run_programs_that_make_installs():
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for program in re.findall(r"entry: \.venv/bin/(\w+)", text):
        assert f"$(BIN)/{program}" in makefile
