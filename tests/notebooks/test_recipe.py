"""The recipe of CONTRIBUTING.md, followed: a notebook, a syllabus entry and its solutions make a lecture."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from nbformat import write
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[2]
TITLE = "# A tiny lecture\n\n10 minutes.\n\n- Add two numbers."
ENTRY = {
    "title": "A tiny lecture",
    "summary": "It adds.",
    "objectives": ["Add two numbers."],
    "minutes": 10,
    "parameters": {
        "steps": {"type": "int", "default": 3, "minimum": 1, "help": "how often"},
        "seed": {"type": "int", "default": 0, "help": "seed"},
    },
    "profiles": {"smoke": {"steps": 1}, "full": {"steps": 9}},
}
SOLUTIONS = {
    f"added.{number}": {
        "solution": f"def {name}(a, b):\n    return a {sign} b\n",
        "checks": [{"call": "answer(3, 2)", "expect": f"3 {sign} 2", "hint": f"Use {sign}."}],
        "hidden": [
            {
                "draw": {"a": "rng.integers(9, 99)", "b": "rng.integers(9, 99)"},
                "call": "answer(a, b)",
                "hint": f"Use {sign}.",
            }
        ],
        "mistakes": [{"part": sign, "written": other, "case": 1} for other in ("*", "**")],
    }
    for number, name, sign in ((1, "add", "+"), (2, "subtract", "-"))
}


def tiny_notebook():
    code = [
        ("parameters", "steps: int = 3  # how often\nseed: int = 0  # seed", ["parameters"]),
        ("open", 'import k2c\n\nprofile = k2c.open_lecture("99_added", globals())', []),
        ("total", 'k2c.guard("steps", steps, low=1)', []),
        ("add", "def add(a, b):\n    return ...", ["exercise"]),
        ("add-check", 'k2c.check("added.1", add)', []),
        ("subtract", "def subtract(a, b):\n    return ...", ["exercise"]),
        ("subtract-check", 'k2c.check("added.2", subtract)', []),
    ]
    cells = [new_markdown_cell(TITLE, id="title")]
    cells += [
        new_code_cell(source, id=name, metadata={"tags": tags} if tags else {}) for name, source, tags in code
    ]
    cells += [new_markdown_cell(f"## {name}", id=name.split()[0]) for name in ("Summary", "Further reading")]
    return new_notebook(cells=cells)


@pytest.fixture
def copy(tmp_path):
    copy = tmp_path / "copy"
    for folder in ("course", "notebooks", "data"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    return copy


def test_a_lecture_is_a_notebook_an_entry_and_its_solutions(copy):
    write(tiny_notebook(), copy / "notebooks/99_added.ipynb")
    syllabus = yaml.safe_load((copy / "course/syllabus.yml").read_text())
    syllabus["lectures"]["99_added"] = ENTRY
    (copy / "course/syllabus.yml").write_text(yaml.safe_dump(syllabus, sort_keys=False))
    (copy / "course/solutions/99_added.yml").write_text(yaml.safe_dump(SOLUTIONS))

    def run(*words):
        environment = os.environ | {"K2C_HOME": str(copy)}
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=copy, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("k2c", "notebooks", "99")
    assert "99_added" in run("k2c", "list")
    run("k2c", "run", "99", "-p", "steps=5", "--out", str(copy / "out"))
    contract = run(
        "pytest", str(ROOT / "tests/notebooks/test_lectures.py"), "-k", "99_added", "--rootdir", str(ROOT)
    )
    assert "failed" not in contract
    assert " passed" in contract
