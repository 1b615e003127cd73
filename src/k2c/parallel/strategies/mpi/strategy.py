"""`mpi`: the same workers, started by mpirun, with gradients averaged by MPI_Allreduce."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.parallel.job import Job
from k2c.parallel.strategies.all_reduce import check_port, free_port
from k2c.parallel.strategies.options import MPI_ALGORITHMS, MpiOptions
from k2c.parallel.strategies.registry import Strategy, read_history, register
from k2c.parallel.workers.messages import LIFELINE
from k2c.parallel.workers.start import Program, child_environment, launcher
from k2c.parallel.workers.supervise import Watcher, supervise
from k2c.training import History

SIZES = tuple(4**power for power in range(3, 13))  # 64 bytes to 16 MiB
_LIMIT = 120  # seconds that timing may take


def time_all_reduce(
    algorithm: str, workers: int = 2, sizes: Sequence[int] = SIZES, repeats: int = 15
) -> list[tuple[int, float]]:
    """Return (bytes, median seconds) of MPI_Allreduce of float32 numbers with one algorithm.

    Parameters
    ----------
    algorithm
        A name of `MPI_ALGORITHMS`.
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
    if missing := _missing():
        raise K2CError(missing)
    if workers < 1:
        raise K2CError(f"workers is {workers}. It must be 1 or more.")
    options = MpiOptions(algorithm=algorithm)
    with tempfile.TemporaryDirectory(prefix="k2c-mpi-") as name:
        folder, log = Path(name), Path(name, "log.txt")
        (folder / "run.json").write_text(json.dumps({"sizes": list(sizes), "repeats": repeats}))
        timer = str(Path(__file__).with_name("timer.py")), name
        program = _mpirun(workers, options, timer)
        with program.start(log, child_environment() | _environment(options)) as process:
            try:
                process.wait(_LIMIT)
            except subprocess.TimeoutExpired:
                process.terminate()
        if process.returncode:
            raise K2CError(f"mpirun could not time {algorithm!r}; it said: {log.read_text().strip()[-500:]}")
        return [(size, seconds) for size, seconds in json.loads((folder / "times.json").read_text())]


def _run(job: Job, workers: int, folder: Path, options: MpiOptions, watchers: Sequence[Watcher]) -> History:
    check_port(options.port or 0)
    program = _mpirun(workers, options, ("-m", "k2c.parallel.strategies.mpi.worker", str(folder)))
    supervise(program, folder, workers, options.time_limit, watchers, _environment(options))
    return read_history(folder)


def _mpirun(workers: int, options: MpiOptions, python: Sequence[str]) -> Program:
    """Return the command that starts workers, each a Python with these arguments.

    They talk through shared memory and listen on no network. Open MPI 5's launcher itself listens on every
    address, for launchers of other machines.
    """
    return launcher(
        _find_mpirun() or "mpirun", "-n", str(workers), "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none",
        "--mca", "btl", "self,sm", *algorithm_flags(options.algorithm), sys.executable, *python,
    )  # fmt: skip


def _environment(options: MpiOptions) -> dict[str, str]:
    environment = {
        LIFELINE: "0",  # mpirun holds standard input, and ends its workers itself
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(options.port or free_port()),
        "OMP_NUM_THREADS": str(options.threads),
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container everybody is root
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return environment


def algorithm_flags(algorithm: str) -> list[str]:
    """Return the words that make mpirun use an algorithm."""
    if algorithm == "automatic":
        return []
    number = str(MPI_ALGORITHMS[algorithm])
    return [
        "--mca", "coll_tuned_use_dynamic_rules", "1", "--mca", "coll_tuned_allreduce_algorithm", number,
    ]  # fmt: skip


def _find_mpirun() -> str | None:
    """Return the mpirun beside this Python, or the one on the path."""
    beside = Path(sys.executable).with_name("mpirun")
    return str(beside) if beside.is_file() else shutil.which("mpirun")


def _missing() -> str | None:
    if _find_mpirun() and importlib.util.find_spec("mpi4py") is not None:
        return None
    return f"The strategy 'mpi' needs Open MPI and mpi4py (Linux). Install them with: {pip_install('[mpi]')}"


MPI = register(
    Strategy(
        "mpi",
        "As all_reduce, started by mpirun; MPI_Allreduce averages, with an algorithm that you choose.",
        _run,
        MpiOptions,
        _missing,
    )
)
