"""What nbval compares: the results that a lecture shows, not what the machine says on standard error."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parents[2]
SANITIZE = ROOT / "tests/notebooks/sanitize.cfg"
SPEAKS = "import os, sys, warnings\n_ = os.write(2, b'1 warning generated.\\n')\nwarnings.warn('mine')\n"


def compared(folder, source, committed):
    outputs = [new_output("stream", name="stdout", text=text) for text in committed]
    cell = new_code_cell(source, execution_count=1, outputs=outputs)
    write(new_notebook(cells=[cell]), folder / "lecture.ipynb")
    shutil.copy(ROOT / "conftest.py", folder)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-cell-timeout=60",
               f"--nbval-sanitize-with={SANITIZE}", "-p", "no:cacheprovider", f"--rootdir={folder}",
               str(folder / "lecture.ipynb")]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("committed", [["42\n"], []], ids=["beside a result", "alone"])
def test_what_is_said_on_standard_error_is_no_difference(tmp_path, committed):
    shown = "print(42)\n" if committed else ""
    done = compared(tmp_path, SPEAKS + shown, committed)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        (SPEAKS + "print(43)", "43"),
        (SPEAKS, "Missing output fields"),
        (SPEAKS + "print(42)\nraise ValueError('planted')", "planted"),
    ],
    ids=["another number", "no number", "an exception"],
)
def test_what_is_printed_or_raised_is_a_difference(tmp_path, source, complaint):
    done = compared(tmp_path, source, ["42\n"])
    assert done.returncode == 1 and complaint in done.stdout, done.stdout
