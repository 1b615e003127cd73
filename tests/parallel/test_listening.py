"""On one machine, nothing that a strategy starts listens where another machine could connect."""

import contextlib
import ipaddress
import os
import socket

import psutil
import pytest

from k2c.errors import K2CError
from k2c.parallel import Job, all_strategies, train
from k2c.parallel.meet import method_of
from k2c.parallel.workers import five_steps
from k2c.parallel.workers.place import Place

pytestmark = pytest.mark.timeout(400)

STRATEGIES = {
    "all_reduce": {},
    "parameter_server": {},
    "parameter_server on ray": {"engine": "ray"},
    "spark": {},
    "spark by shuffle": {"scheme": "shuffle"},
    "mpi": {},
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
    if not strategy.installed:
        pytest.skip(strategy.missing())
    if case.endswith("ray"):
        pytest.importorskip("ray")
    seen = set()
    train(
        name,
        Job("blobs", {"examples": 1000}),
        2,
        watch=lambda _: seen.update(listening()),
        **STRATEGIES[case],
    )
    assert {one for one in seen if not is_loopback(one[1])} == set()
    assert seen, "nothing was seen that listens, not even where the workers meet"


@pytest.mark.parametrize(
    ("address", "launcher", "agent_has_a_store", "expected"),
    [
        ("127.0.0.1", "torchrun", "False", "k2c-loopback://127.0.0.1:29500"),
        ("localhost", "mpirun", "False", "k2c-loopback://localhost:29500"),
        ("10.0.0.7", "mpirun", "False", "tcp://10.0.0.7:29500"),
        ("gpu07", "slurm", "False", "tcp://gpu07:29500"),
        ("gpu07", "torchrun", "False", "tcp://gpu07:29500"),
        ("gpu07", "torchrun", "True", "env://"),
        ("127.0.0.1", "torchrun", "True", "env://"),
    ],
)
def test_several_machines_meet_where_they_are_told_to(
    address, launcher, agent_has_a_store, expected, monkeypatch
):
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", agent_has_a_store)
    assert method_of(Place(0, 2, 0, address, 29500, launcher)) == expected


def test_a_port_that_was_taken_meanwhile_is_named():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(K2CError, match=rf"Port {port} on 127\.0\.0\.1 is taken by another program"):
            five_steps.initialise(Place(0, 1, 0, "127.0.0.1", port, "mpirun"), 10)
