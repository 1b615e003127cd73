"""A run executes a lecture, collects what it claims, and leaves a report whatever happens."""

import json
import signal
import subprocess
import sys
import time

import nbformat
import pytest
import yaml


def the_run(folder):
    (run,) = (path for path in folder.iterdir() if path.is_dir())
    return run


def test_a_lecture_leaves_its_notebook_results_and_report(tiny_course, tmp_path, k2c):
    result = k2c("run", "00", "-p", "rate=1", "--out", "out")
    assert result.returncode == 0, result.stdout + result.stderr
    run = the_run(tmp_path / "out")
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["recorded"] == {"total": 3.0, "steps": [0, 1, 2]}
    assert metrics["guards"] == [
        {"name": "total", "value": 3.0, "low": None, "high": None, "status": "not claimed"}
    ]
    assert metrics["exercises"] == {"tiny.1": "not attempted"}
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["profile"], facts["parameters"]["rate"]) == ("ok", "custom", 1.0)
    page = (tmp_path / "out/index.html").read_text()
    for shown in ("A tiny lecture", "rate = 1.0", f"{run.name}/notebook.html", "python"):
        assert shown in page


@pytest.mark.parametrize("everything", ["true", "false"])
def test_asides_are_skipped_where_everything_is_false(tiny_course, tmp_path, k2c, edit_cell, everything):
    syllabus = tiny_course / "course/syllabus.yml"
    content = yaml.safe_load(syllabus.read_text())
    parameters = content["lectures"]["00_tiny"]["parameters"]
    parameters["everything"] = {"type": "bool", "default": True, "help": "also asides"}
    syllabus.write_text(yaml.safe_dump(content, sort_keys=False))
    cells = nbformat.read(tiny_course / "notebooks/00_tiny.ipynb", as_version=4).cells
    edit_cell("parameters", cells[1].source + "\neverything: bool = True  # also asides")
    edit_cell("check", "# Aside: by the way.\nk2c.record(aside=1)")
    assert k2c("run", "-p", f"everything={everything}", "--out", "out").returncode == 0
    run = the_run(tmp_path / "out")
    recorded = json.loads((run / "metrics.json").read_text())["recorded"]
    assert ("aside" in recorded, recorded["total"]) == (everything == "true", 1.5)
    assert ("is an aside, and is skipped" in (run / "notebook.html").read_text()) == (everything == "false")


def test_pages_need_no_network(tiny_course, tmp_path, k2c, edit_cell):
    edit_cell("title", "# Sums\n\nThis is $a^2 + b$, and\n\n$$\\sum_i x_i$$")
    k2c("run", "--out", "out")
    for page in ((tmp_path / "out/index.html"), the_run(tmp_path / "out") / "notebook.html"):
        text = page.read_text()
        assert 'src="http' not in text
        assert "import(" not in text
    assert "<math" in text


def test_a_lecture_that_fails_is_kept_with_its_reason(tiny_course, tmp_path, k2c, edit_cell):
    edit_cell("claim", 'k2c.guard("total", 0, low=1)')
    result = k2c("run", "--out", "out")
    assert result.returncode == 1
    assert "cell 5: GuardError: total should be at least 1, and it is 0." in result.stdout
    run = the_run(tmp_path / "out")
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert nbformat.read(run / "notebook.ipynb", as_version=4).cells[-1].outputs[-1].output_type == "error"
    assert "total should be at least 1" in (tmp_path / "out/index.html").read_text()


def test_a_kernel_that_dies_is_a_failed_run(tiny_course, tmp_path, k2c, edit_cell):
    edit_cell("claim", "import os\nos._exit(3)")
    result = k2c("run", "--out", "out")
    assert result.returncode == 1
    assert "DeadKernelError" in result.stdout


def test_the_other_lectures_go_on_when_one_fails(tiny_course, tmp_path, k2c, edit_cell):
    syllabus = tiny_course / "course/syllabus.yml"
    text = syllabus.read_text()
    entry = text[text.index("  00_tiny:") :]
    syllabus.write_text(text + entry.replace("00_tiny", "01_next"))
    notebook = (tiny_course / "notebooks/00_tiny.ipynb").read_text()
    (tiny_course / "notebooks/01_next.ipynb").write_text(notebook.replace("00_tiny", "01_next"))
    edit_cell("claim", "1 / 0")
    result = k2c("run", "--out", "out")
    assert result.returncode == 1
    assert "failed  00_tiny" in result.stdout
    assert "ok  01_next" in result.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_kernel_and_leaves_the_report(tiny_course, tmp_path, edit_cell, number, is_alive):
    edit_cell("claim", "from pathlib import Path\nimport os, time\n"
              "Path('pid').write_text(str(os.getpid()))\ntime.sleep(600)")  # fmt: skip
    mark = tiny_course / "notebooks/pid"
    command = [sys.executable, "-m", "k2c", "run", "--out", "out"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while not (mark.exists() and mark.read_text()):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(timeout=60) == 128 + number
    assert json.loads((the_run(tmp_path / "out") / "run.json").read_text())["status"] == "interrupted"
    assert "stopped by Ctrl-C" in (tmp_path / "out/index.html").read_text()
    assert not is_alive(int(mark.read_text()))


def test_a_notebook_is_saved_in_place_only_when_every_guard_holds(tiny_course, k2c, edit_cell):
    path = tiny_course / "notebooks/00_tiny.ipynb"
    edit_cell("claim", 'import sys\nprint("measured once", file=sys.stderr)\nk2c.guard("total", 2, low=1.5)')
    done = k2c("notebooks")
    assert done.returncode == 0
    assert "Not saved in 00_tiny, since it is of this machine: measured once" in done.stdout
    saved = path.read_text()
    assert '"stderr"' not in saved
    assert "(at least 1.5)" in saved
    assert "papermill" not in saved
    edit_cell("claim", 'k2c.guard("total", 0, low=1)')
    before = path.read_text()
    refused = k2c("notebooks")
    assert refused.returncode == 2
    assert "was not saved" in refused.stderr
    assert path.read_text() == before


def test_what_keeps_a_widget_alive_lies_beside_the_saved_notebook(tiny_course, k2c, edit_cell):
    edit_cell("claim", "from k2c.display.widgets.scaling import RingSteps\nRingSteps(3)")
    assert k2c("notebooks").returncode == 0
    kept = json.loads((tiny_course / "course/site/widgets/00_tiny/claim.json").read_text())
    assert (kept["front"], kept["values"]) == ("ring", {"workers": 3, "round": 2})
    saved = (tiny_course / "notebooks/00_tiny.ipynb").read_text()
    assert "3 of 9 pieces are complete" in saved
    assert "k2c.live" not in saved


def test_a_notebook_that_shows_this_machine_is_not_saved(tiny_course, k2c, edit_cell):
    edit_cell("claim", "import sys\nsys.prefix")
    refused = k2c("notebooks")
    assert refused.returncode == 2
    assert "of this machine" in refused.stderr
