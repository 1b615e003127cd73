"""`mpi`: the same workers, started by mpirun, with gradients averaged by MPI_Allreduce."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from k2c._system.advice import pip_install
from k2c.errors import K2CError, unknown
from k2c.parallel.job import Job
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.lifeline import LIFELINE
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.rendezvous import PORT, free_port
from k2c.parallel.workers.start import Program, child_environment, launcher
from k2c.parallel.workers.watch import Watcher, run_and_watch

# Open MPI's numbers of its ways to all-reduce (coll_tuned_allreduce_algorithm).
ALGORITHMS = {"automatic": 0, "linear": 1, "recursive_doubling": 3, "ring": 4, "rabenseifner": 6}
SIZES = tuple(4**power for power in range(3, 13))  # 64 bytes to 16 MiB
_LIMIT = 120  # seconds that timing may take


@dataclass(frozen=True)
class MpiOptions(AllReduceOptions):
    """Options of `mpi`: those of `all_reduce`, without restarts and compression, and the algorithm.

    Attributes
    ----------
    algorithm
        How Open MPI averages: a name of `ALGORITHMS`.
    """

    max_restarts: int = 0
    algorithm: str = "automatic"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.algorithm not in ALGORITHMS:
            raise K2CError(unknown("algorithm", self.algorithm, ALGORITHMS))
        if self.compression != "none":
            raise K2CError("'mpi' sends gradients as they are. Leave `compression` out, or use 'all_reduce'.")
        if self.max_restarts:
            raise K2CError("mpirun restarts no worker. Leave `max_restarts` out, or use 'all_reduce'.")


class Mpi(Strategy[MpiOptions]):
    """mpirun starts the workers, which run `mpi.worker`."""

    name = "mpi"
    summary = "As all_reduce, started by mpirun; MPI_Allreduce averages, with an algorithm that you choose."
    options = MpiOptions

    def missing(self) -> str | None:
        """Look for mpirun and mpi4py."""
        if _find_mpirun() and importlib.util.find_spec("mpi4py") is not None:
            return None
        return (
            f"The strategy 'mpi' needs Open MPI and mpi4py (Linux). Install them with: {pip_install('[mpi]')}"
        )

    def run(
        self, job: Job, workers: int, folder: Path, options: MpiOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Start mpirun, and watch the workers to their end."""
        program = _mpirun(workers, options, ("-m", "k2c.parallel.strategies.mpi.worker", str(folder)))
        run_and_watch(program, folder, workers, options.time_limit, watchers, _environment(options))


def time_all_reduce(
    algorithm: str, workers: int = 2, sizes: Sequence[int] = SIZES, repeats: int = 15
) -> list[tuple[int, float]]:
    """Return (bytes, median seconds) of MPI_Allreduce of float32 numbers with one algorithm.

    Parameters
    ----------
    algorithm
        A name of `ALGORITHMS`.
    workers
        Processes.
    sizes
        Bytes.
    repeats
        Calls of each size.

    Raises
    ------
    K2CError
        When MPI is not installed, for no worker or an unknown algorithm, and when mpirun fails or hangs.
    """
    if missing := Mpi().missing():
        raise K2CError(missing)
    if workers < 1:
        raise K2CError(f"workers is {workers}. It must be 1 or more.")
    options = MpiOptions(algorithm=algorithm)
    with tempfile.TemporaryDirectory(prefix="k2c-mpi-") as name:
        folder, log = Path(name), Path(name, "log.txt")
        (folder / "run.json").write_text(json.dumps({"sizes": list(sizes), "repeats": repeats}))
        program = _mpirun(workers, options, (str(Path(__file__).with_name("timer.py")), name))
        with program.start(log, child_environment() | _environment(options)) as process:
            try:
                process.wait(_LIMIT)
            except subprocess.TimeoutExpired:
                process.terminate()
        if process.returncode:
            raise K2CError(f"mpirun could not time {algorithm!r}; it said: {log.read_text().strip()[-500:]}")
        return [(size, seconds) for size, seconds in json.loads((folder / "times.json").read_text())]


def _mpirun(workers: int, options: MpiOptions, python: Sequence[str]) -> Program:
    """Return the command that starts workers, each a Python with these arguments.

    They talk through shared memory and listen on no network. Open MPI 5's launcher itself listens on every
    address, for launchers of other machines.
    """
    number = str(ALGORITHMS[options.algorithm])
    chosen = (
        "--mca", "coll_tuned_use_dynamic_rules", "1", "--mca", "coll_tuned_allreduce_algorithm", number,
    )  # fmt: skip
    return launcher(
        _find_mpirun() or "mpirun", "-n", str(workers), "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none",
        "--mca", "btl", "self,sm", *(chosen if number != "0" else ()), sys.executable, *python,
    )  # fmt: skip


def _environment(options: MpiOptions) -> dict[str, str]:
    environment = {
        LIFELINE: "0",  # mpirun holds standard input, and ends its workers itself
        PORT: str(free_port()),
        "OMP_NUM_THREADS": str(options.threads),
        # In a SLURM job, mpirun (of Open MPI 5, and of older ones) would start the workers by srun, on other machines.
        **{f"{release}_MCA_{part}": "^slurm" for release in ("PRTE", "OMPI") for part in ("plm", "ras")},
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container everybody is root
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment


def _find_mpirun() -> str | None:
    """Return the mpirun beside this Python, or the one on the path."""
    beside = Path(sys.executable).with_name("mpirun")
    return str(beside) if beside.is_file() else shutil.which("mpirun")
