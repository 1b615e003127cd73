"""Time MPI_Allreduce: `mpirun -n N python timer.py FOLDER`, run as a file, needs mpi4py and NumPy alone."""

import json
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

SKIPPED = 3  # calls before the first that counts


def seconds_of(size: int, repeats: int) -> float:
    """Return the median seconds of an all-reduce of so many bytes of float32 numbers."""
    sent, received = np.ones(max(size // 4, 1), np.float32), np.empty(max(size // 4, 1), np.float32)
    times = []
    for _ in range(SKIPPED + repeats):
        MPI.COMM_WORLD.Barrier()
        start = time.perf_counter()
        MPI.COMM_WORLD.Allreduce(sent, received, op=MPI.SUM)
        times.append(time.perf_counter() - start)
    return statistics.median(times[SKIPPED:])


def main() -> None:
    """Time what `run.json` asks for, and write `times.json`."""
    folder = Path(sys.argv[1])
    run = json.loads((folder / "run.json").read_text())
    found = [(size, seconds_of(size, run["repeats"])) for size in run["sizes"]]
    if MPI.COMM_WORLD.rank == 0:
        (folder / "times.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
