"""Which worker a process is, and where the workers of a run meet: in a store on the loopback device alone."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import torch.distributed as dist

from k2c.errors import K2CError

HOST = "127.0.0.1"
PORT = "K2C_PORT"  # the variable for a port that the parent chose
_SCHEME = "k2c-loopback"
_TIMEOUT = timedelta(minutes=5)

# The variables of rank, world size and local rank that each launcher sets: torchrun, horovodrun, Open MPI's mpirun.
_VARIABLES = (
    ("RANK", "WORLD_SIZE", "LOCAL_RANK"),
    ("HOROVOD_RANK", "HOROVOD_SIZE", "HOROVOD_LOCAL_RANK"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
)


@dataclass(frozen=True)
class Rendezvous:
    """A worker's number, and where it meets the others.

    Attributes
    ----------
    rank, world_size
        Its number, from 0, and how many there are.
    local_rank
        Which GPU it takes, where there is one for each.
    port
        Where worker 0 listens.
    """

    rank: int
    world_size: int
    local_rank: int
    port: int

    @property
    def init_method(self) -> str:
        """What torch calls an `init_method`; a launcher that has started a store lends it to its workers."""
        if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
            return "env://"
        return f"{_SCHEME}://{HOST}:{self.port}"  # torch's own store listens on every network


def find_rendezvous() -> Rendezvous:
    """Return what the environment variables of this process's launcher say; without one it is the only worker."""
    env = os.environ
    port = int(env.get(PORT, "0")) or int(env.get("MASTER_PORT", "0"))
    for rank, world_size, local_rank in _VARIABLES:
        if rank in env:
            return Rendezvous(int(env[rank]), int(env[world_size]), int(env[local_rank]), port)
    return Rendezvous(0, 1, 0, port)


def free_port() -> int:
    """Return a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def listen(port: int) -> socket.socket:
    """Return a socket that is bound to a port of the loopback device; 0 stands for any free one.

    Raises
    ------
    K2CError
        When another program has taken the port.
    """
    server = socket.socket()
    if os.name == "posix":  # a port that was left a moment ago is free
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((HOST, port))
    except OSError as error:
        server.close()
        raise K2CError(
            f"Port {port} has been taken by another program meanwhile. Start again: another one is found."
        ) from error
    return server


def _meet(url: str, timeout: timedelta = _TIMEOUT, **_: Any) -> Iterator[Any]:
    """Be torch's rendezvous handler: rank 0 brings the store."""
    parts = urlsplit(url)
    rank, size = (int(parse_qs(parts.query)[name][0]) for name in ("rank", "world_size"))
    port, listening = parts.port or 0, None
    if rank == 0:
        with listen(port) as server:
            server.listen(2048)
            listening = server.detach()  # the store closes it
    store = dist.TCPStore(
        HOST, port, size, is_master=rank == 0, timeout=timeout, wait_for_workers=False,
        master_listen_fd=listening,
    )  # fmt: skip
    yield store, rank, size
    raise RuntimeError("workers that lost each other are started again, and meet anew")


dist.register_rendezvous_handler(_SCHEME, _meet)
