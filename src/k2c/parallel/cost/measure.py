"""What the cost model is fed with, measured on this machine, by workers that the kit starts."""

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from scipy.stats import trim_mean
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from k2c._system.atomic import atomic_path
from k2c._system.machine import usable_cores
from k2c.errors import K2CError
from k2c.parallel.cost.model import Link, StepCost, ring, step_seconds
from k2c.parallel.job import Job
from k2c.parallel.sharding import ShardedLoader
from k2c.parallel.workers.five_steps import TorchSteps
from k2c.parallel.workers.learner import seed_stream
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.start import elastic_agent
from k2c.parallel.workers.watch import run_and_watch
from k2c.parallel.workers.worker import enter_run, exit_now, report_on

SIZES = tuple(64 * 16**power for power in range(5))  # 64 bytes to 4 MiB
REPEATS = 24  # steps that all workers make together, each turn: many make fewer each
REPEATED_EXCHANGES = 5  # of each size, each turn
TURNS = 3  # one worker, two, ... one after another, again and again: a machine's load changes
PARTS = ("forward", "backward", "update")
SKIPPED = 2  # calls before the first that counts, each turn


@dataclass(frozen=True)
class Measured:
    """What `workers` one-thread processes measured at the same time; each number is a mean, of worker 0.

    The mean leaves out the longest twentieth of the times and the shortest. Medians would not do: times are skewed,
    and the median of a sum is not the sum of the medians.

    Attributes
    ----------
    workers
        How many.
    forward, backward, update
        Seconds of the passes and the optimiser, with no exchange.
    slowest
        Seconds of all three in the worker that took longest, for whom the others would wait.
    gradient_bytes
        Of the model.
    exchanges
        (bytes, seconds) of an all-reduce, one after another.
    exchange
        Seconds of an all-reduce of the gradient's bytes that follows the passes, from when the slowest is ready.
        It takes longer than in a row of nothing else: threads have gone to sleep, and caches are cold.
    step
        Seconds of a whole step with DistributedDataParallel. One worker has nobody to exchange with, but its
        wrapped model still gathers gradients in buckets.
    """

    workers: int
    forward: float
    backward: float
    update: float
    slowest: float
    gradient_bytes: int
    exchanges: list[tuple[int, float]]
    exchange: float
    step: float

    def alone(self) -> StepCost:
        """Return the step without exchange."""
        return StepCost(self.forward, self.backward, self.gradient_bytes, self.update)


def measure_steps(
    job: Job, workers: Sequence[int] = (1, 2), time_limit: float = 300.0
) -> dict[int, Measured]:
    """Measure what one worker does alone, and what several do together.

    All are started at once, and take turns: one works while the others wait, then two of them, and so on. So a
    machine that is busy with something else meanwhile slows all of them down, and their ratios remain.

    Parameters
    ----------
    job
        Its model, batch and optimiser are measured.
    workers
        How many work at the same time.
    time_limit
        As in `train`.

    Returns
    -------
    dict
        What was measured, by the number of workers.

    Raises
    ------
    K2CError
        When a number of workers is less than 1.
    """
    if not workers or min(workers) < 1:
        raise K2CError(f"workers is {list(workers)}. Give numbers of 1 or more, such as [1, 2, 4].")
    with tempfile.TemporaryDirectory(prefix="k2c-measure-") as name:
        folder = Path(name)
        run = {"job": job.to_json(), "time_limit": time_limit, "workers": sorted(set(workers))}
        (folder / "run.json").write_text(json.dumps(run))
        agent = elastic_agent(folder, max(workers), 0, "k2c.parallel.cost.measure")
        run_and_watch(agent, folder, max(workers), time_limit)
        found = json.loads((folder / "measured.json").read_text())
    return {
        each["workers"]: Measured(**each | {"exchanges": [tuple(pair) for pair in each["exchanges"]]})
        for each in found
    }


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


def link_in_steps(two: Measured) -> Link:
    """Return the link as fitted to exchanges in a row, slowed to what an exchange takes within a step."""
    link = fit_link(two.exchanges, two.workers)
    slower = two.exchange / ring(two.workers, two.gradient_bytes, link)
    return Link(link.latency * slower, link.bandwidth / slower)


def predict_here(one: Measured, two: Measured, workers: int, cores: int | None = None) -> float:
    """Return the predicted seconds of a step of `workers` on this machine.

    Parameters
    ----------
    one, two
        What one worker, and two at once, measured. Of two, only the passes and the exchanges are used.
    workers
        How many share the machine.
    cores
        Physical cores; this machine's when left out.
    """
    cores = cores or usable_cores()
    slower = max(1.0, two.slowest / one.alone().compute)
    link = link_in_steps(two)
    # Gathering gradients in buckets is work for the cores too.
    wrapped = replace(one.alone(), update=one.update + max(0.0, one.step - one.alone().compute))
    # gloo copies on the cores that compute, so an exchange overlaps only where cores are idle.
    free = workers < cores
    return step_seconds(wrapped, workers, link, overlap=free, cores=cores, contention=slower)


def main() -> int:
    """Measure as one worker; returns the exit status."""
    folder, rendezvous, messenger = enter_run()
    steps = TorchSteps()

    def work() -> None:
        run = json.loads((folder / "run.json").read_text())
        job = Job.from_json(run["job"])
        torch.set_num_threads(1)
        device = steps.initialise(rendezvous, 2 * run["time_limit"])
        seed_stream(job.seed, 0)
        groups = [_Group(job, number, rendezvous.rank, device, messenger) for number in run["workers"]]
        for _ in range(TURNS):
            for group in groups:
                dist.barrier()
                group.turn()
        if rendezvous.rank == 0:
            with atomic_path(folder / "measured.json") as part:
                part.write_text(json.dumps([asdict(group.result()) for group in groups]))
        steps.finish()

    return report_on(messenger, work)


class _Group:
    """The first `workers` of all processes, which measure together while the others wait."""

    def __init__(self, job: Job, workers: int, rank: int, device: torch.device, messenger: Messenger) -> None:
        self.workers, self.device, self.messenger = workers, device, messenger
        self.group = dist.new_group(list(range(workers)))  # all processes must ask for it
        self.takes_part = rank < workers
        self.times: dict[str, list[float]] = {name: [] for name in (*PARTS, "slowest", "exchange", "step")}
        self.exchanges: dict[int, list[float]] = {size: [] for size in SIZES} if workers > 1 else {}
        if not self.takes_part:
            return
        made = job.build()
        self.loss, self.model = made.loss, made.model.to(device).train()
        self.optimizer = made.optimizer(self.model.parameters())
        own = [device] if device.type == "cuda" else None
        self.replica = DistributedDataParallel(self.model, own, process_group=self.group)
        loader = ShardedLoader(made.train, rank, workers, made.batch_size)
        self.gradient_bytes = sum(p.numel() * p.element_size() for p in self.model.parameters())
        self.gradient = torch.zeros(self.gradient_bytes // 4, device=device)
        self.inputs, self.targets = (part.to(device) for part in next(iter(loader)))

    def turn(self) -> None:
        """Measure everything a few times."""
        if not self.takes_part:
            return
        for repeat in range(-SKIPPED, -(-REPEATS // self.workers)):
            found = self._step(self.model, self.gradient)
            whole = self._step(self.replica)
            found["step"] = sum(whole[part] for part in PARTS)
            if repeat >= 0:
                for name, seconds in found.items():
                    self.times[name].append(seconds)
        for size, times in self.exchanges.items():
            times += [self._exchange(size) for _ in range(-SKIPPED, REPEATED_EXCHANGES)][SKIPPED:]

    def result(self) -> Measured:
        """Return the means."""
        exchanges = [(size, _mean(times)) for size, times in self.exchanges.items()]
        means = {name: _mean(times) for name, times in self.times.items()}
        return Measured(self.workers, gradient_bytes=self.gradient_bytes, exchanges=exchanges, **means)

    def _step(self, model: nn.Module, gradient: Tensor | None = None) -> dict[str, float]:
        """Time a step, and an exchange that follows it."""
        dist.barrier(self.group)
        times = [_now(self.device)]
        loss = self.loss(model(self.inputs), self.targets)
        times.append(_now(self.device))
        loss.backward()
        times.append(_now(self.device))
        self.optimizer.step()
        self.optimizer.zero_grad()
        times.append(_now(self.device))
        found: dict[str, float] = dict(zip(PARTS, np.diff(times).tolist(), strict=True))
        if gradient is not None:
            dist.all_reduce(gradient, group=self.group)
            both = _now(self.device) - times[0]
            slowest = torch.tensor(times[-1] - times[0], dtype=torch.float64, device=self.device)
            dist.all_reduce(slowest, dist.ReduceOp.MAX, group=self.group)
            found |= {"slowest": slowest.item(), "exchange": both - slowest.item()}
        self.messenger.pulse(0, 0, 0)
        return found

    def _exchange(self, size: int) -> float:
        data = torch.zeros(size // 4, device=self.device)
        dist.barrier(self.group)
        start = _now(self.device)
        dist.all_reduce(data, group=self.group)
        seconds = _now(self.device) - start
        self.messenger.pulse(0, 0, 0)
        return seconds


def _mean(times: list[float]) -> float:
    return float(trim_mean(times, 0.05))


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    exit_now(main())
