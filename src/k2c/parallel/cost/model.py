"""How long a step takes: an alpha-beta model of computing and exchanging gradients.

A message of b bytes takes `latency + b / bandwidth` seconds (Hockney, 1994); what an exchange takes follows
from how many messages of which size stand one after another (Thakur, Rabenseifner and Gropp, 2005).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from k2c.errors import K2CError, unknown


@dataclass(frozen=True)
class Link:
    """What connects two workers.

    Attributes
    ----------
    latency
        Seconds until a message of no bytes has arrived (alpha).
    bandwidth
        Bytes per second (1 / beta).
    """

    latency: float
    bandwidth: float

    def seconds(self, n_bytes: float) -> float:
        """Return how long a message takes."""
        return self.latency + n_bytes / self.bandwidth


def gigabit(speed: float, latency: float = 30e-6) -> Link:
    """Return a link of so many Gbit/s; 30 microseconds are usual for TCP on Ethernet, 2 for InfiniBand."""
    return Link(latency, speed * 1e9 / 8)


@dataclass(frozen=True)
class StepCost:
    """One worker's step, alone on its machine.

    Attributes
    ----------
    forward, backward, update
        Seconds of the passes, and of the optimiser.
    gradient_bytes
        Bytes of gradient.
    bucket_bytes
        Bytes that are exchanged at a time, as soon as they are computed (25 MiB in DistributedDataParallel).
    """

    forward: float
    backward: float
    gradient_bytes: float
    update: float = 0.0
    bucket_bytes: float = 25 * 2**20

    @property
    def compute(self) -> float:
        """Seconds without any exchange."""
        return self.forward + self.backward + self.update


def ring(workers: int, n_bytes: float, link: Link) -> float:
    """Return the seconds of a ring all-reduce: 2 (n - 1) messages of 1/n of the bytes each."""
    return 2 * (workers - 1) * link.seconds(n_bytes / workers) if workers > 1 else 0.0


def tree(workers: int, n_bytes: float, link: Link) -> float:
    """Return the seconds of a reduction up a binary tree and a broadcast down: 2 log n messages of all bytes."""
    return 2 * math.ceil(math.log2(workers)) * link.seconds(n_bytes)


def allgather(workers: int, n_bytes: float, link: Link) -> float:
    """Return the seconds in which every worker gets every other's gradient: n - 1 messages of all bytes each.

    A ring passes whole gradients on; each worker adds them up itself. An all-reduce gives the same sum with
    2 / n of the bytes.
    """
    return (workers - 1) * link.seconds(n_bytes) if workers > 1 else 0.0


def ring_tree_crossing(workers: int, link: Link) -> float:
    """Return the bytes from which on a ring is faster than a tree; infinite where it never is.

    The two times are equal where 2 (n - 1) (a + b / (n B)) = 2 m (a + b / B), m = log2 n rounded up, which gives
    b = a B (n - 1 - m) / (m - (n - 1) / n).
    """
    rounds = math.ceil(math.log2(workers)) if workers > 1 else 0
    fewer_bytes = rounds - (workers - 1) / workers
    if fewer_bytes <= 0:
        return math.inf
    return link.latency * link.bandwidth * (workers - 1 - rounds) / fewer_bytes


def parameter_server(workers: int, n_bytes: float, link: Link, servers: int = 1) -> float:
    """Return the seconds of pushing gradients to k servers, each with 1/k of the model, and pulling weights.

    All workers talk at once, so the busiest link is a server's (workers / k times the bytes each way), or a
    worker's own where there are more servers than workers. Servers are machines of their own.

    Raises
    ------
    K2CError
        For less than one server.
    """
    if servers < 1:
        raise K2CError(f"servers is {servers}. There must be 1 or more.")
    return 2 * link.seconds(max(workers / servers, 1.0) * n_bytes) if workers > 0 else 0.0


def hierarchical(workers: int, n_bytes: float, link: Link, inner: Link, per_node: int) -> float:
    """Return the seconds of reducing within each node, a ring over the nodes, and sharing within each.

    Parameters
    ----------
    workers, n_bytes
        How many in all, and the bytes of gradient.
    link, inner
        Between nodes, and within one.
    per_node
        Workers on a node.
    """
    local = min(per_node, workers)
    within = 2 * (local - 1) * inner.seconds(n_bytes / local) if local > 1 else 0.0
    return within + ring(math.ceil(workers / per_node), n_bytes, link)


Exchange = Callable[[int, float, Link], float]
EXCHANGES: dict[str, Exchange] = {
    "ring": ring,
    "tree": tree,
    "parameter_server": parameter_server,
}


def step_seconds(
    step: StepCost, workers: int, link: Link, exchange: str | Exchange = "ring", overlap: bool = True,
    cores: int | None = None, contention: float = 1.0,
) -> float:  # fmt: skip
    """Return how long a step of `workers` takes, each with a batch of its own.

    Parameters
    ----------
    step
        One worker's, alone.
    workers
        How many.
    link
        Between them.
    exchange
        How gradients are averaged: a name of `EXCHANGES`, or a function of workers, bytes and link.
    overlap
        Whether one bucket of gradients travels while the next is computed. Travelling costs nothing else:
        true of a network card, not of workers that copy through memory on cores they compute with.
    cores
        Cores that all workers share, one thread each; None where each has its own machine. More workers than
        cores take turns computing. They do not take turns exchanging: that is mostly waiting for one another.
    contention
        How much slower a worker computes when all cores are busy than when it is alone (memory, clock rate).
    """
    if workers < 1:
        raise K2CError(f"workers is {workers}. It must be 1 or more.")
    if isinstance(exchange, str) and exchange not in EXCHANGES:
        raise K2CError(unknown("exchange", exchange, EXCHANGES))
    cost = EXCHANGES[exchange] if isinstance(exchange, str) else exchange
    turns = max(1.0, workers / cores) if cores else 1.0
    slower = turns * (contention if workers > 1 else 1.0)
    alone = workers == 1 and exchange != "parameter_server"
    if alone or not step.gradient_bytes:
        return step.compute * slower
    buckets = max(1, math.ceil(step.gradient_bytes / step.bucket_bytes))
    one = cost(workers, step.gradient_bytes / buckets, link)
    forward, backward, update = (slower * seconds for seconds in (step.forward, step.backward, step.update))
    if not overlap:
        return forward + backward + buckets * one + update
    done = 0.0
    for bucket in range(buckets):
        done = max(done, backward * (bucket + 1) / buckets) + one
    return forward + done + update


def speed_up(
    step: StepCost, workers: int, link: Link, exchange: str | Exchange = "ring", overlap: bool = True
) -> float:
    """Return how many times the examples of one worker alone so many workers train in the same time."""
    return workers * step.compute / step_seconds(step, workers, link, exchange, overlap)


def bandwidth_for(
    step: StepCost, workers: int, wanted: float, latency: float = 30e-6, exchange: str | Exchange = "ring",
    overlap: bool = True,
) -> float | None:  # fmt: skip
    """Return the bandwidth, in bytes per second, at which a speed-up comes out; None if no bandwidth gives it.

    Parameters
    ----------
    step, workers, exchange, overlap
        See `step_seconds`.
    wanted
        The speed-up.
    latency
        Of the link, in seconds.
    """

    def reached(bandwidth: float) -> bool:
        return speed_up(step, workers, Link(latency, bandwidth), exchange, overlap) >= wanted

    low, high = 1e3, 1e15
    if not reached(high):
        return None
    for _ in range(100):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
