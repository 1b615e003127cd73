"""Speed-ups that were published against one worker, and the links at which the cost model gives them."""

from dataclasses import dataclass, replace
from functools import partial

from k2c.parallel.cost.model import (
    Exchange,
    Link,
    StepCost,
    bandwidth_for,
    hierarchical,
    parameter_server,
    ring,
)

MIB = 2**20
NUMBER_BYTES = 4  # gradients travel as float32
# Fraction of a training step that is forward: a backward pass is two products for the forward's one.
FORWARD = 1 / 3


@dataclass(frozen=True)
class Published:
    """One published speed-up.

    Attributes
    ----------
    name, source
        Which model on what, and who says so.
    parameters
        Of the model: how many numbers a gradient has.
    examples_per_second
        Of one worker alone. `assumed` says whether the source gives it.
    batch_size
        Of one worker.
    workers, per_node
        How many, and how many of them on a machine.
    speed_up
        Against one worker.
    assumed
        What the source does not say, in words; empty where it says everything.
    bucket_bytes
        Bytes that are exchanged at a time (Horovod's fusion buffer: 64 MiB).
    """

    name: str
    source: str
    parameters: int
    examples_per_second: float
    batch_size: int
    workers: int
    per_node: int
    speed_up: float
    assumed: str = ""
    bucket_bytes: int = 25 * MIB

    @property
    def efficiency(self) -> float:
        """The speed-up as a fraction of the number of workers."""
        return self.speed_up / self.workers

    def step(self) -> StepCost:
        """Return one worker's step."""
        seconds = self.batch_size / self.examples_per_second
        forward = FORWARD * seconds
        return StepCost(
            forward, seconds - forward, self.parameters * NUMBER_BYTES, bucket_bytes=self.bucket_bytes
        )


_HOROVOD = "Horovod's documentation, Benchmarks (2018): 128 servers of 4 Pascal GPUs, RoCE-capable 25 Gbit/s"
_ONE_GPU = "images per second of one P100, and its batch of 64, from TensorFlow's benchmarks of May 2017"
POINTS = (
    Published(
        "Inception V3, 512 GPUs", _HOROVOD, 23_800_000, 142, 64, 512, 4, 0.90 * 512, _ONE_GPU, 64 * MIB
    ),
    Published("VGG-16, 512 GPUs", _HOROVOD, 138_400_000, 154, 64, 512, 4, 0.68 * 512, _ONE_GPU, 64 * MIB),
)


def needed_links(
    points: tuple[Published, ...] = POINTS, latency: float = 30e-6, inner: Link | None = None
) -> list[dict[str, object]]:
    """Return, for each published point, the Gbit/s between machines at which the model gives its speed-up.

    Parameters
    ----------
    points
        Which.
    latency
        Of the link between machines, in seconds.
    inner
        The link within a machine; 10 GB/s and 10 microseconds when left out.

    Returns
    -------
    list of dict
        `name`, `workers`, `efficiency`, and Gbit/s by `exchange` and `overlap`: `ring`, `hierarchical`
        and `parameter_server` (as many servers as machines), each with and without overlap. None means that no
        bandwidth is enough, because the latencies alone take too long.
    """
    inside = inner or Link(10e-6, 10e9)
    rows: list[dict[str, object]] = []
    for point in points:
        row: dict[str, object] = {
            "name": point.name, "workers": point.workers, "efficiency": point.efficiency,
        }  # fmt: skip
        for name, exchange in _exchanges(point, inside).items():
            for overlap in (True, False):
                found = bandwidth_for(
                    point.step(), point.workers, point.speed_up, latency, exchange, overlap=overlap
                )
                label = name if overlap else f"{name}, no overlap"
                row[label] = None if found is None else found * 8 / 1e9
        rows.append(row)
    return rows


def _exchanges(point: Published, inner: Link) -> dict[str, Exchange]:
    def shared_servers(workers: int, n_bytes: float, link: Link) -> float:
        per_machine = replace(link, bandwidth=link.bandwidth / point.per_node)
        servers = max(1, workers // point.per_node)
        return parameter_server(workers // point.per_node or 1, n_bytes, per_machine, servers)

    return {
        "ring": ring,  # through all workers: it crosses each machine's link once
        "hierarchical": partial(hierarchical, inner=inner, per_node=point.per_node),
        "parameter_server": shared_servers,
    }
