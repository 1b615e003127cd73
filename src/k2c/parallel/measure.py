"""What the cost model is fed with, measured on this machine, by workers that the kit starts."""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from k2c.atomic import atomic_path
from k2c.errors import K2CError
from k2c.parallel import five_steps
from k2c.parallel.cost import Link, Step, step_seconds
from k2c.parallel.job import Experiment, Job
from k2c.parallel.messages import Messenger
from k2c.parallel.place import find_place
from k2c.parallel.replica import seed_stream
from k2c.parallel.sharding import ShardedLoader
from k2c.parallel.supervise import supervise
from k2c.parallel.worker import hold_lifeline, run_worker

SIZES = tuple(4 * 4**power for power in range(2, 11))  # 64 bytes to 4 MiB
REPEATS = 15
SKIPPED = 3  # calls before the first that counts


@dataclass(frozen=True)
class Measured:
    """What `workers` one-thread processes measured at the same time; each number is worker 0's median.

    Attributes
    ----------
    workers
        How many.
    forward, backward, update
        Seconds of the passes and the optimiser, with no exchange.
    gradient_bytes
        Of the model.
    exchanges
        (bytes, seconds) of an all-reduce.
    step
        Seconds of a whole step with DistributedDataParallel (of a plain one for one worker).
    """

    workers: int
    forward: float
    backward: float
    update: float
    gradient_bytes: int
    exchanges: list[tuple[int, float]]
    step: float

    def alone(self) -> Step:
        """Return the step without exchange."""
        return Step(self.forward, self.backward, self.gradient_bytes, self.update)


def measure(job: Job, workers: int, time_limit: float = 300.0) -> Measured:
    """Measure with so many workers.

    Parameters
    ----------
    job
        Its model, batch and optimiser are measured.
    workers
        How many processes work at the same time.
    time_limit
        As in `train`.
    """
    with tempfile.TemporaryDirectory(prefix="k2c-measure-") as name:
        folder = Path(name)
        (folder / "run.json").write_text(json.dumps({"job": job.to_json(), "time_limit": time_limit}))
        agent = [sys.executable, "-m", "k2c.parallel.agent", name, str(workers), "0", "measure"]
        supervise(agent, folder, workers, time_limit)
        found = json.loads((folder / "measured.json").read_text())
    return Measured(**found | {"exchanges": [tuple(pair) for pair in found["exchanges"]]})


def fit_link(exchanges: Sequence[tuple[int, float]], workers: int = 2) -> Link:
    """Return the link whose ring all-reduces come nearest to measured ones, in relative terms.

    Parameters
    ----------
    exchanges
        (bytes, seconds).
    workers
        How many took part.

    Raises
    ------
    K2CError
        With less than two sizes, or one worker, which exchanges nothing.
    """
    if workers < 2 or len({size for size, _ in exchanges}) < 2:
        raise K2CError("A link is fitted to exchanges of at least two sizes between at least two workers.")
    sizes, seconds = np.array(exchanges, dtype=np.float64).T
    messages = 2 * (workers - 1)
    # seconds = messages * latency + messages / workers * bytes / bandwidth, each row divided by its seconds.
    rows = np.stack([np.full_like(sizes, messages), messages / workers * sizes], axis=1) / seconds[:, None]
    (latency, beta), *_ = np.linalg.lstsq(rows, np.ones_like(seconds), rcond=None)
    return Link(max(float(latency), 1e-9), 1 / max(float(beta), 1e-15))


def predict_here(one: Measured, two: Measured, workers: int, cores: int | None = None) -> float:
    """Return the predicted seconds of a step of `workers` on this machine.

    Parameters
    ----------
    one, two
        What one worker, and two at once, measured; nothing that is predicted is used.
    workers
        How many share the machine.
    cores
        Physical cores; this machine's when left out.
    """
    cores = cores or usable_cores()
    slower = max(1.0, two.alone().compute / one.alone().compute)
    link = fit_link(two.exchanges, two.workers)
    # gloo copies on the cores that compute, so an exchange overlaps only where cores are idle.
    free = workers < cores
    return step_seconds(one.alone(), workers, link, overlap=free, cores=cores, contention=slower)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def main() -> None:
    """Measure as one worker."""
    folder, place = Path(sys.argv[1]), find_place()
    messenger = Messenger(folder / "messages", place.rank)
    hold_lifeline()

    def work() -> None:
        run = json.loads((folder / "run.json").read_text())
        job = Job.from_json(run["job"])
        torch.set_num_threads(1)
        device = five_steps.initialise(place, 2 * run["time_limit"])
        seed_stream(job.seed, 0)
        made = job.build()
        made.model.to(device)
        found = _measure(made, place.rank, place.world_size, device, messenger)
        if place.rank == 0:
            with atomic_path(folder / "measured.json") as part:
                part.write_text(json.dumps(asdict(found)))
        five_steps.finish()

    run_worker(messenger, work)


def _measure(
    made: Experiment, rank: int, workers: int, device: torch.device, messenger: Messenger
) -> Measured:
    optimizer = made.optimizer(made.model.parameters())
    loader = ShardedLoader(made.train, rank, workers, made.batch_size)
    inputs, targets = (part.to(device) for part in next(iter(loader)))
    made.model.train()
    replica = five_steps.average_gradients(made.model, device) if workers > 1 else made.model
    times: dict[str, list[float]] = {"forward": [], "backward": [], "update": [], "step": []}
    n_bytes = sum(p.numel() * p.element_size() for p in made.model.parameters())
    for name, model in (("parts", made.model), ("step", replica)):
        for _ in range(SKIPPED + REPEATS):
            dist.barrier()
            start = _now(device)
            loss = made.loss(model(inputs), targets)
            forward = _now(device)
            loss.backward()
            backward = _now(device)
            optimizer.step()
            optimizer.zero_grad()
            end = _now(device)
            if name == "step":
                times["step"].append(end - start)
            else:
                for part, seconds in zip(
                    ("forward", "backward", "update"),
                    (forward - start, backward - forward, end - backward),
                    strict=True,
                ):
                    times[part].append(seconds)
            messenger.pulse(0, 0, 0)
    middle = {name: statistics.median(values[SKIPPED:]) for name, values in times.items()}
    exchanges = [(size, _exchange(size, device, messenger)) for size in SIZES] if workers > 1 else []
    return Measured(workers, gradient_bytes=n_bytes, exchanges=exchanges, **middle)


def _exchange(size: int, device: torch.device, messenger: Messenger) -> float:
    data, times = torch.zeros(size // 4, device=device), []
    for _ in range(SKIPPED + REPEATS):
        dist.barrier()
        start = _now(device)
        dist.all_reduce(data)
        times.append(_now(device) - start)
        messenger.pulse(0, 0, 0)
    return statistics.median(times[SKIPPED:])


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
