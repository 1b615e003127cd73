"""On one machine, nothing that a strategy starts listens where another machine could connect."""

import contextlib
import ipaddress
import os
import socket

import psutil
import pytest

from k2c.errors import K2CError
from k2c.parallel import Job, all_strategies, train
from k2c.parallel.workers.five_steps import TorchSteps
from k2c.parallel.workers.rendezvous import Rendezvous

pytestmark = pytest.mark.timeout(400)

# By name: how many examples keep its sockets open for a while, and its options.
STRATEGIES = {
    "all_reduce": (1000, {}),
    "parameter_server": (1000, {}),
    "spark": (1000, {}),
    "spark by shuffle": (64, {"scheme": "shuffle"}),
    "mpi": (1000, {}),
}

# Open MPI's launcher waits for launchers of other machines, on every address.
EXEMPT = {"prterun"}


def is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback


def listening() -> set[tuple[str, str]]:
    """Return (process, address) of every socket of this test's processes that waits for others, on TCP or UDP."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            for one in process.net_connections("inet"):
                # A UDP socket that is connected takes nothing from others; looking up a name makes one for a moment.
                waits = one.status == psutil.CONN_LISTEN or (one.type == socket.SOCK_DGRAM and not one.raddr)
                if waits and process.name() not in EXEMPT:
                    found.add((process.name(), one.laddr.ip))
    return found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="looks into processes as Linux and macOS have them")
@pytest.mark.parametrize("case", STRATEGIES)
def test_every_socket_listens_on_the_loopback_device(case):
    name = case.split()[0]
    (strategy,) = (one for one in all_strategies() if one.name == name)
    if missing := strategy.missing():
        pytest.skip(missing)
    examples, options = STRATEGIES[case]
    seen = set()
    train(name, Job("blobs", {"examples": examples}), 2, watch=lambda _: seen.update(listening()), **options)
    assert {one for one in seen if not is_loopback(one[1])} == set()
    assert seen, "nothing was seen that listens, not even where the workers meet"


def test_a_launcher_that_has_started_a_store_lends_it_to_its_workers(monkeypatch):
    rendezvous = Rendezvous(0, 2, 0, 29500)
    assert rendezvous.init_method == "k2c-loopback://127.0.0.1:29500"
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    assert rendezvous.init_method == "env://"


def test_a_port_that_was_taken_meanwhile_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(K2CError, match=f"Port {port} has been taken by another program"):
            TorchSteps().initialise(Rendezvous(0, 1, 0, port), 10)
