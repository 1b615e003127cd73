"""A batch of short runs against the same runs through papermill's command line, one after another."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import yaml

from k2c._system.machine import usable_cores
from k2c._system.outputs import RESULT_MIME
from k2c._system.paths import project_root
from k2c._system.sealed import read_sealed_json
from k2c.bench.comparison import Row, benchmark, spread, time_row

LECTURE = "02_lenet_mnist"
SETTINGS = {"train_size": 1000, "test_size": 1000, "epochs": 1, "everything": False}
RUNS = 32
REFERENCE_RUNS = (
    4  # of the same 32; all of them would take many minutes, and each takes about as long as the others
)
EQUAL = 0.002  # sums in another order, by another number of threads, turn a digit or two of 1,000


@benchmark("batch")
def batch() -> list[Row]:
    """Measure the batch between two halves of the reference, and compare what they claim."""
    with tempfile.TemporaryDirectory(prefix="k2c-bench-") as name:
        folder = Path(name)
        half = REFERENCE_RUNS // 2
        single = [_papermill(folder, seed) for seed in range(half)]
        ours = _batch(folder)
        single += [_papermill(folder, seed) for seed in range(half, REFERENCE_RUNS)]
        difference, accuracies = _compare(folder)
    reference = RUNS * statistics.fmean(single)
    detail = (
        f"lecture 2 without its asides, 1,000 training and test digits, one epoch, {RUNS} seeds, {usable_cores()} "
        "cores; k2c batch, from its start to its report, against papermill's command line one after another, measured "
        f"on {REFERENCE_RUNS} of the {RUNS} runs: {spread(single)} s each"
    )
    equal = Row(
        name="batch: mean test accuracy",
        ours=accuracies[0],
        reference=accuracies[1],
        unit="",
        ratio=accuracies[0] / accuracies[1],
        target=1.0,
        ok=difference <= EQUAL,
        detail=f"over the {REFERENCE_RUNS} runs of the reference; no claim of the lecture differs by more than "
        f"{difference:.1g} of it; allowed is {EQUAL:g}",
    )
    return [time_row(f"batch: {RUNS} short runs", ([ours], [reference]), target=5.0, detail=detail), equal]


def _batch(folder: Path) -> float:
    """Run the batch and return its seconds."""
    content = {"lecture": LECTURE, "fixed": SETTINGS, "repeats": {"seed": list(range(RUNS))}}
    (folder / "short.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return _seconds([sys.executable, "-m", "k2c", "batch", "short.yml", "--out", "ours"], folder)


def _papermill(folder: Path, seed: int) -> float:
    """Run one notebook by papermill's command line and return its seconds."""
    notebooks = project_root() / "notebooks"
    command = [sys.executable, "-m", "papermill", f"{notebooks}/{LECTURE}.ipynb", f"{folder}/{seed}.ipynb"]
    for key, value in (SETTINGS | {"seed": seed}).items():
        command += ["-p", key, str(value)]
    return _seconds([*command, "--cwd", str(notebooks)], folder)


def _seconds(command: list[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def _compare(folder: Path) -> tuple[float, tuple[float, float]]:
    """Return the largest relative difference of any claim, and both mean test accuracies."""
    ours = {}
    for path in (folder / "ours").glob("*/run.json"):
        seed = read_sealed_json(path)["parameters"]["seed"]
        ours[seed] = _claims(path.parent / "notebook.ipynb")
    theirs = [_claims(folder / f"{seed}.ipynb") for seed in range(REFERENCE_RUNS)]
    differences = [
        abs(ours[seed][name] - value) / max(abs(value), 1e-3)
        for seed, claims in enumerate(theirs)
        for name, value in claims.items()
        if "minus the layer" not in name  # a rounding error itself
    ]
    accuracies = [[side[seed]["test accuracy"] for seed in range(REFERENCE_RUNS)] for side in (ours, theirs)]
    return max(differences), (statistics.fmean(accuracies[0]), statistics.fmean(accuracies[1]))


def _claims(path: Path) -> dict[str, float]:
    """Return what an executed notebook claims and could measure, by name."""
    cells = nbformat.read(path, as_version=4).cells
    results = [
        output.get("metadata", {}).get(RESULT_MIME, {})
        for cell in cells
        for output in cell.get("outputs", ())
    ]
    guards = [result["guard"] for result in results if "guard" in result]
    return {guard["name"]: float(guard["value"]) for guard in guards if guard["value"] is not None}
