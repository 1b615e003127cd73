"""What the tests share: a tiny course of one lecture, in a folder of its own."""

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from k2c._system.forkserver import ForkServer, can_fork

# Tests run side by side, one a core. Two processes that each spread torch over every core wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a test solves is no student's work.
os.environ["K2C_STUDENT"] = "off"
# What the command imports for most of what it does.
IMPORTED = (
    "forked_command",
    "k2c.cli.app",
    "k2c.runs.batch.progress",
    "k2c.runs.batch.run",
    "k2c.runs.reports.batch",
    "k2c.runs.reports.run",
    "papermill",
)
PLAIN = os.environ | {"COLUMNS": "200"}  # before a folder's tests mark the processes that they start


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes by their number: gzip writes the time, so the bytes differ from one collection to the next."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


SYLLABUS = {
    "course": "A tiny course",
    "lectures": {
        "00_tiny": {
            "title": "A tiny lecture",
            "summary": "It adds.",
            "objectives": ["Add two numbers."],
            "minutes": 1,
            "parameters": {
                "steps": {"type": "int", "default": 3, "minimum": 1, "maximum": 9, "help": "how often"},
                "rate": {"type": "float", "default": 0.5, "minimum": 0, "maximum": 1, "help": "how much"},
                "source": {"type": "str", "default": "here", "choices": ["here", "there"], "help": "where"},
                "seed": {"type": "int", "default": 0, "help": "seed"},
            },
            "profiles": {"smoke": {"steps": 1}, "full": {"steps": 9}},
        }
    },
}
SOLUTIONS = {
    "tiny.1": {
        "solution": "def add(a, b):\n    return a + b\n",
        "checks": [
            {"call": "answer(1, 2)", "expect": "3", "hint": "Put both together."},
            {"call": "answer(np.ones(2), 1)", "expect": "[2, 2]", "hint": "Arrays add as numbers do."},
        ],
    }
}
CELLS = [
    ("title", "# A tiny lecture", None),
    (
        "parameters",
        """\
        steps: int = 3  # how often
        rate: float = 0.5  # how much
        source: str = "here"  # where
        seed: int = 0  # seed""",
        ["parameters"],
    ),
    ("open", 'import k2c\n\nprofile = k2c.open_lecture("00_tiny", globals())', []),
    ("exercise", "def add(a, b):\n    return ...", ["exercise"]),
    ("check", 'k2c.check("tiny.1", add)', []),
    (
        "claim",
        """\
        print("total [so far]", steps * rate)
        k2c.guard("total", steps * rate, low={"lecture": 1.5, "full": 4.5})
        k2c.record(total=steps * rate, steps=list(range(steps)))""",
        [],
    ),
]


@pytest.fixture(scope="session")
def make_tiny_course() -> Callable[[Path], Path]:
    """Return a function that makes a course of one tiny lecture in a folder and returns the course's own folder."""

    def make(folder: Path) -> Path:
        root = folder / "course-copy"
        for name in ("notebooks", "course/solutions", "data"):
            (root / name).mkdir(parents=True)
        (root / "course/syllabus.yml").write_text(yaml.safe_dump(SYLLABUS, sort_keys=False))
        (root / "course/solutions/00_tiny.yml").write_text(yaml.safe_dump(SOLUTIONS))
        (root / "data/registry.yml").write_text("{}")
        write_notebook(root / "notebooks/00_tiny.ipynb", CELLS)
        return root

    return make


@pytest.fixture
def tiny_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_tiny_course: Callable[[Path], Path]
) -> Path:
    """Make a course of one tiny lecture, and make it the one that k2c finds; returns its folder."""
    root = make_tiny_course(tmp_path)
    monkeypatch.setenv("K2C_HOME", str(root))
    return root


def write_notebook(path: Path, cells: list[tuple[str, str, list[str] | None]]) -> None:
    """Write a notebook from (id, source, tags) triples; tags of None make a Markdown cell."""
    made = []
    for name, source, tags in cells:
        text = textwrap.dedent(source)
        cell = (
            new_markdown_cell(text)
            if tags is None
            else new_code_cell(text, metadata={"tags": tags} if tags else {})
        )
        cell.id = name
        made.append(cell)
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    nbformat.write(new_notebook(cells=made, metadata={"kernelspec": kernel}), path)


@pytest.fixture
def edit_cell(tiny_course: Path):
    """Return a function that replaces the source of a cell of the tiny lecture."""

    def edit(name: str, source: str) -> None:
        path = tiny_course / "notebooks/00_tiny.ipynb"
        notebook = nbformat.read(path, as_version=4)
        next(cell for cell in notebook.cells if cell.id == name).source = textwrap.dedent(source)
        nbformat.write(notebook, path)

    return edit


@pytest.fixture(scope="session")
def command_server() -> Iterator[ForkServer]:
    """Return a server that forks the command `k2c` from a process that has imported it."""
    server = ForkServer(IMPORTED, PLAIN | {"PYTHONPATH": str(Path(__file__).with_name("support"))})
    yield server
    server.close()


@pytest.fixture
def k2c(tmp_path: Path, command_server: ForkServer):
    """Return a function that runs the command `k2c` in a scratch folder, as a user does."""

    def run(
        *words: str, env: dict[str, str] | None = None, cwd: Path = tmp_path, timeout: float = 300, **options
    ) -> CompletedProcess:
        command, changed = [sys.executable, "-m", "k2c", *words], env or {}
        environment = os.environ | {"COLUMNS": "200"} | changed
        # Python and its libraries read their own variables when they start.
        if options or not can_fork() or not all(name.startswith("K2C_") for name in changed):
            return subprocess.run(
                command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, **options
            )
        with tempfile.TemporaryDirectory(prefix="k2c-test-") as name:
            out, errors = Path(name, "out"), Path(name, "errors")
            variables = environment | {"K2C_TEST_ERRORS": str(errors)}
            process = command_server.fork("forked_command:main", words, variables, cwd, out)
            try:
                status = process.wait(timeout)
            finally:
                process.terminate()
            said = [path.read_text(encoding="utf-8") if path.exists() else "" for path in (out, errors)]
            return CompletedProcess(command, status, *said)

    return run
