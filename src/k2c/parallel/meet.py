"""Where workers meet: on one machine in a store that listens on the loopback device alone."""

import ipaddress
import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import torch.distributed as dist

from k2c.errors import K2CError
from k2c.parallel.workers.place import Place

_SCHEME = "k2c-loopback"
_TIMEOUT = timedelta(minutes=5)


def method_of(place: Place) -> str:
    """Return the `init_method` by which the workers of a launch find each other.

    torch's own store listens on every network of the machine, which several machines need. A launcher that has
    started a store (torchrun's agent) lends it to its workers.
    """
    if place.launcher == "torchrun" and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        return "env://"
    scheme = _SCHEME if _is_loopback(place.address) else "tcp"
    return f"{scheme}://{place.address}:{place.port}"


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:  # a name
        return False


def _meet(url: str, timeout: timedelta = _TIMEOUT, **_: Any) -> Iterator[Any]:
    """Be torch's rendezvous handler: rank 0 brings the store."""
    parts = urlsplit(url)
    rank, size = (int(parse_qs(parts.query)[name][0]) for name in ("rank", "world_size"))
    host, port = parts.hostname or "127.0.0.1", parts.port or 0
    listening = _listen(host, port) if rank == 0 else None
    store = dist.TCPStore(
        host,
        port,
        size,
        is_master=rank == 0,
        timeout=timeout,
        wait_for_workers=False,
        master_listen_fd=listening,
    )
    yield store, rank, size
    raise RuntimeError("workers that lost each other are started again, and meet anew")


def _listen(host: str, port: int) -> int:
    """Return the descriptor of a socket that listens; the store closes it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        if os.name == "posix":  # a port that was left a moment ago is free
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, port))
        except OSError as error:
            raise K2CError(
                f"Port {port} on {host} is taken by another program. Choose another one: set MASTER_PORT, or leave "
                "it out."
            ) from error
        server.listen(2048)
        return server.detach()


if dist.is_available():
    dist.register_rendezvous_handler(_SCHEME, _meet)
