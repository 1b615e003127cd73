"""The cost model of lecture 6 against measured steps, five times over: step_times.csv.

Usage: python course/results/step_times.py [--runs 5]   (on a machine with nothing else to do; 30 seconds a run)
"""

import argparse

import pandas as pd

from k2c._system.machine import describe_machine
from k2c.course import write_measured
from k2c.parallel import Job, cost

WORKERS = (1, 2, 4)
FILMS = {"n_films": 1500, "image_size": 64, "enriched": 0.5, "label_noise": 0.1, "n_used": 320}
JOB = Job("chest_films", FILMS | {"network": "small_vgg", "batch_size": 8})


def measure(run: int, workers: tuple[int, ...] = WORKERS) -> list[dict]:
    """Return predicted and measured milliseconds of a step, by the number of workers."""
    found = cost.measure_steps(JOB, workers)
    rows = []
    for n, each in found.items():
        alone = found[1].alone().compute
        predicted = alone if n == 1 else cost.predict_here(found[1], found[2], n)
        row = {"run": run, "workers": n, "predicted": 1000 * predicted, "measured": 1000 * each.step}
        rows.append({name: round(value, 2) for name, value in row.items()})
    return rows


def main() -> None:
    """Measure, and write the table with how it was made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    rows = []
    for run in range(1, runs + 1):
        rows += measure(run)
        print(*rows[-len(WORKERS) :], sep="\n", flush=True)
    about = (
        f"{describe_machine()['processor']}, nothing else running; milliseconds of a step of the small VGG on 8 films "
        "of 64 px a worker; predicted for 2 and 4 workers from what 1 and 2 measured of computing and the link, with "
        "nothing that 4 measured"
    )
    write_measured(
        "step_times", pd.DataFrame(rows), f"python course/results/step_times.py --runs {runs}", about
    )


if __name__ == "__main__":
    main()
