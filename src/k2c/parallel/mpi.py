"""`mpi`: the same workers, started by mpirun, with gradients averaged by MPI_Allreduce."""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from k2c.errors import K2CError
from k2c.parallel.all_reduce import check_port, free_port
from k2c.parallel.job import Job
from k2c.parallel.messages import LIFELINE
from k2c.parallel.options import MPI_ALGORITHMS, MpiOptions
from k2c.parallel.start import Program
from k2c.parallel.strategies import Strategy, read_history, register
from k2c.parallel.supervise import Watcher, supervise
from k2c.training import History

SIZES = tuple(4**power for power in range(3, 13))  # 64 bytes to 16 MiB


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
        When MPI is not installed.
    """
    if missing := _missing():
        raise K2CError(missing)
    options = MpiOptions(algorithm=algorithm, time_limit=120)
    with tempfile.TemporaryDirectory(prefix="k2c-mpi-") as name:
        folder = Path(name)
        (folder / "run.json").write_text(json.dumps({"sizes": list(sizes), "repeats": repeats}))
        _launch(folder, workers, options, (), "time")
        return [(size, seconds) for size, seconds in json.loads((folder / "times.json").read_text())]


def _run(job: Job, workers: int, folder: Path, options: MpiOptions, watchers: Sequence[Watcher]) -> History:
    check_port(options.port or 0)
    _launch(folder, workers, options, watchers, "train")
    return read_history(folder)


def _launch(folder: Path, workers: int, options: MpiOptions, watchers: Sequence[Watcher], task: str) -> None:
    mpirun = (
        sys.executable, str(Path(__file__).with_name("hold.py")), _mpirun() or "mpirun", "-n", str(workers),
        "--map-by", ":OVERSUBSCRIBE", "--bind-to", "none", *algorithm_flags(options.algorithm),
        sys.executable, "-m", "k2c.parallel.mpi_worker", str(folder), task,
    )  # fmt: skip
    environment = {
        LIFELINE: "0",  # mpirun holds standard input, and ends its workers itself
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(options.port or free_port()),
        "OMP_NUM_THREADS": str(options.threads),
    }
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container everybody is root
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    supervise(Program(mpirun), folder, workers, options.time_limit, watchers, environment)


def algorithm_flags(algorithm: str) -> list[str]:
    """Return the words that make mpirun use an algorithm."""
    if algorithm == "automatic":
        return []
    number = str(MPI_ALGORITHMS[algorithm])
    return [
        "--mca", "coll_tuned_use_dynamic_rules", "1", "--mca", "coll_tuned_allreduce_algorithm", number,
    ]  # fmt: skip


def _mpirun() -> str | None:
    """Return the mpirun beside this Python, or the one on the path."""
    beside = Path(sys.executable).with_name("mpirun")
    return str(beside) if beside.is_file() else shutil.which("mpirun")


def _missing() -> str | None:
    if _mpirun() and importlib.util.find_spec("mpi4py") is not None:
        return None
    return "The strategy 'mpi' needs Open MPI and mpi4py (Linux). Install them with: pip install 'k2c[mpi]'."


MPI = register(
    Strategy(
        "mpi",
        "As all_reduce, started by mpirun; MPI_Allreduce averages, with an algorithm that you choose.",
        _run,
        MpiOptions,
        _missing,
    )
)
