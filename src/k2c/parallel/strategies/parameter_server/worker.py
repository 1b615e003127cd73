"""What the processes of `parameter_server` run: the first ranks are workers, the last ones servers.

A worker computes gradients, pushes them to the servers, which hold the model, and takes the new weights.
"""

import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import rpc

from k2c.parallel.strategies.parameter_server.server import Reply, answer
from k2c.parallel.strategies.parameter_server.strategy import ServerOptions
from k2c.parallel.workers.learner import ReplicaLearner, Worker
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.rendezvous import HOST, Rendezvous
from k2c.parallel.workers.replica import train_replica
from k2c.parallel.workers.worker import enter_run, exit_now, read_run, report_on
from k2c.training.history import Row

_AT_THE_END = 60.0  # seconds in which the others leave, before worker 0 takes the store with it


def main() -> int:
    """Be a worker or a server, as the rank says; returns the exit status."""
    folder, rendezvous, messenger = enter_run()
    return report_on(messenger, lambda: _work(folder, rendezvous, messenger))


def _work(folder: Path, rendezvous: Rendezvous, messenger: Messenger) -> None:
    job, options = read_run(folder, ServerOptions)
    rank, everybody = rendezvous.rank, rendezvous.world_size
    workers = everybody - options.servers
    torch.set_num_threads(options.threads)
    limit = 2 * options.time_limit + 60
    rpc.init_rpc(
        f"{rank}",
        rank=rank,
        world_size=everybody,
        rpc_backend_options=rpc.TensorPipeRpcBackendOptions(
            num_worker_threads=workers + 4,  # a synchronous push waits in its thread for the other workers
            rpc_timeout=limit,
            init_method=rendezvous.init_method,
        ),
    )
    store = dist.TCPStore(HOST, rendezvous.port, is_master=False, wait_for_workers=False)
    if rank < workers:
        # A group of the workers alone, for the barrier and the metrics.
        dist.init_process_group(
            "gloo", store=dist.PrefixStore("workers", store), rank=rank, world_size=workers,
            timeout=timedelta(seconds=limit),
        )  # fmt: skip
        names = [str(server) for server in range(workers, everybody)]
        _, own = read_run(folder, AllReduceOptions)
        worker = Worker(folder, job, own, rank, workers, messenger)
        train_replica(worker, learner_of=partial(ServerLearner, names, options))
        dist.barrier()
    _leave(store, rendezvous, workers)


def _leave(store: dist.TCPStore, rendezvous: Rendezvous, workers: int) -> None:
    """Leave when all workers have trained; worker 0, which holds the store, after everybody else.

    rpc.shutdown promises that too, but lets worker 0 end while another still asks the store.
    """
    if rendezvous.rank < workers:
        store.set("trained", "yes")
    else:
        store.wait(["trained"], timedelta(days=365))
    store.add("left", 1)
    end = time.monotonic() + _AT_THE_END
    while rendezvous.rank == 0 and store.add("left", 0) < rendezvous.world_size and time.monotonic() < end:
        time.sleep(0.01)


def split_model(parameters: list[nn.Parameter], servers: int) -> list[list[int]]:
    """Return which tensors each server holds: the largest first, each to the server with the least so far."""
    parts: list[list[int]] = [[] for _ in range(servers)]
    load = [0] * servers
    for index in sorted(range(len(parameters)), key=lambda i: -parameters[i].numel()):
        least = load.index(min(load))
        parts[least].append(index)
        load[least] += parameters[index].numel()
    return parts


class ServerLearner(ReplicaLearner):
    """The learner whose step is: push the gradients, take the new weights.

    Parameters
    ----------
    servers
        The servers' names.
    options
        How many servers there are, and whether they are synchronous.
    """

    def __init__(self, servers: list[str], options: ServerOptions, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.synchronous = options.synchronous
        self.weights = list(self.model.parameters())
        self.parts = [part for part in split_model(self.weights, options.servers) if part]
        self.servers = servers[: len(self.parts)]  # a small model needs fewer
        self.versions = [0] * len(self.parts)

    def connect(self) -> None:
        """Give the servers the first weights (worker 0), then take them from there."""
        if self.worker.rank == 0:
            job, workers = self.worker.job.to_json(), self.worker.world_size
            self._ask(
                "set_up",
                [
                    (job, self._of(part), [dict(self.optimizer.state.get(self.weights[i], {})) for i in part],
                     workers, self.synchronous)
                    for part in self.parts
                ],
            )  # fmt: skip
        dist.barrier()
        self.pull()

    def step(self) -> None:
        """Push the gradients to the servers that hold the weights, and take the new weights."""
        if not self.shards.shard.closes_step:
            return
        self.learning_rate = float(self.optimizer.param_groups[0]["lr"])
        self._take(
            self._ask(
                "push",
                [
                    (
                        self.worker.rank,
                        [_gradient(self.weights[i]) for i in part],
                        self.learning_rate,
                        version,
                    )
                    for part, version in zip(self.parts, self.versions, strict=True)
                ],
            )
        )
        self.steps += 1

    def pull(self) -> None:
        """Take the servers' weights."""
        self._take(self._ask("pull"))

    def _validate(self) -> Row:
        dist.barrier()  # no gradient is on its way any more
        self.pull()
        row = super()._validate()
        if self.worker.rank == 0:
            self._remember_optimizer()
            ages = [age for ages in self._ask("take_staleness") for age in ages]
            row |= {"staleness": sum(ages) / max(len(ages), 1), "staleness_max": max(ages, default=0)}
        return row

    def _remember_optimizer(self) -> None:
        """Keep what the servers' optimisers remember, so that a checkpoint holds it."""
        for part, state in zip(self.parts, self._ask("optimizer_state"), strict=True):
            for index, saved in zip(part, state, strict=True):
                self.optimizer.state[self.weights[index]] = saved

    def _ask(self, method: str, arguments: list[tuple[Any, ...]] | None = None) -> list[Any]:
        """Call a method of every server's part at the same time, and return their answers."""
        given = [()] * len(self.parts) if arguments is None else arguments
        pairs = zip(self.servers, given, strict=True)
        return torch.futures.wait_all(
            [rpc.rpc_async(name, answer, args=(method, *each)) for name, each in pairs]
        )

    def _of(self, part: list[int]) -> list[Tensor]:
        return [self.weights[index].detach() for index in part]

    def _take(self, replies: list[Reply]) -> None:
        self.versions = [version for _, version in replies]
        with torch.no_grad():
            for part, (weights, _) in zip(self.parts, replies, strict=True):
                for index, weight in zip(part, weights, strict=True):
                    self.weights[index].copy_(weight)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


if __name__ == "__main__":
    exit_now(main())
