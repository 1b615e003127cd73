"""Which worker am I? Read from the environment that torchrun, horovodrun, mpirun or SLURM made."""

import os
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from k2c.errors import K2CError

_FIRST_PORT, _N_PORTS = (
    20_000,
    12_000,
)  # below the range from which Linux takes ports for outgoing connections


@dataclass(frozen=True)
class Place:
    """A worker's place among all workers.

    Attributes
    ----------
    rank, world_size
        Its number, from 0, and how many there are.
    local_rank
        Its number on its own machine: which GPU it takes.
    address, port
        Where worker 0 listens.
    launcher
        `"torchrun"`, `"horovodrun"`, `"mpirun"`, `"slurm"` or `"alone"`.
    """

    rank: int
    world_size: int
    local_rank: int
    address: str
    port: int
    launcher: str


# Launcher, then the variables of rank, world size and local rank. Inside a SLURM job an mpirun counts, and
# inside an mpirun a torchrun: the innermost launcher started this process.
_VARIABLES = (
    ("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("horovodrun", "HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK"),
    ("mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),  # Open MPI
    ("mpirun", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"),  # MPICH, Intel MPI
    ("slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
)


def find_place(environment: Mapping[str, str] | None = None) -> Place:
    """Return this process's place, from the variables of whatever launched it.

    Parameters
    ----------
    environment
        The environment variables; this process's own when left out. `MASTER_ADDR` and `MASTER_PORT`
        win over what follows from the launcher's.

    Raises
    ------
    K2CError
        When a variable is not a number, the numbers contradict each other, or several machines take part
        and nothing says which is the first.
    """
    env = os.environ if environment is None else environment
    for launcher, rank, size, local in _VARIABLES:
        if rank in env and size in env:
            numbers = _number(env, rank), _number(env, size)
            local_rank = _number(env, local) if local in env else numbers[0]
            if not 0 <= numbers[0] < numbers[1]:
                raise K2CError(
                    f"{rank} is {numbers[0]} and {size} is {numbers[1]}; a rank runs from 0 to the size less 1."
                )
            address = env.get("MASTER_ADDR") or _address(launcher, env, numbers[1])
            port = _number(env, "MASTER_PORT") if "MASTER_PORT" in env else _port(env)
            if chosen := int(env.get("K2C_PORT", "0")):  # the option `port` of a run on this machine
                port = chosen
            return Place(*numbers, local_rank, address, port, launcher)
    return Place(0, 1, 0, "127.0.0.1", 0, "alone")


def first_host(nodes: str) -> str:
    """Return the first host of a SLURM node list.

    >>> first_host("gpu[07-09,12],login1")
    'gpu07'
    """
    match = re.match(r"([^,\[]+)(?:\[([^\]]+)\])?([^,\[]*)", nodes.strip())
    if not match:
        raise K2CError(
            f"The SLURM node list {nodes!r} has no host. Set MASTER_ADDR to the first machine's name."
        )
    start, numbers, end = match.groups()
    return start + (re.split(r"[-,]", numbers)[0] if numbers else "") + end


def _address(launcher: str, env: Mapping[str, str], size: int) -> str:
    if launcher == "slurm":
        nodes = env.get("SLURM_STEP_NODELIST") or env.get("SLURM_JOB_NODELIST") or env.get("SLURM_NODELIST")
        return first_host(nodes) if nodes else "127.0.0.1"
    here = env.get("OMPI_COMM_WORLD_LOCAL_SIZE") or env.get("MPI_LOCALNRANKS") or str(size)
    if int(here) != size:
        raise K2CError(
            f"{size} workers run on several machines, and mpirun does not say which is the first. Start with "
            "`mpirun -x MASTER_ADDR=<name of the first machine> ...`."
        )
    return "127.0.0.1"


def _port(env: Mapping[str, str]) -> int:
    """Return a port that all workers of one launch agree on, and two launches hardly ever share."""
    names = ("SLURM_JOB_ID", "PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid", "PMI_JOBID")
    token = "/".join(env.get(name, "") for name in names) + env.get("SLURM_STEP_ID", "")
    return _FIRST_PORT + zlib.crc32(token.encode()) % _N_PORTS


def _number(env: Mapping[str, str], name: str) -> int:
    try:
        return int(env[name])
    except ValueError as error:
        raise K2CError(
            f"The environment variable {name} is {env[name]!r}; it must be a whole number."
        ) from error
