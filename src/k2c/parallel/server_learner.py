"""A worker of the parameter servers: it computes gradients, and the servers hold the model."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import rpc

from k2c.parallel import shard_server
from k2c.parallel.job import Job
from k2c.parallel.replica import ReplicaLearner
from k2c.training.history import Row


def server_name(number: int) -> str:
    """Return the name by which a server is called."""
    return f"server{number}"


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
    """The learner whose step is: push the gradients, pull the weights.

    Class attributes are set by the worker's process before it trains.
    """

    own_exchange = True
    job: Job
    rank: int
    workers: int
    servers: int
    synchronous: bool

    def connect(self) -> None:
        """Give the servers the first weights (worker 0), then pull them."""
        self.weights = list(self.model.parameters())
        self.parts = [part for part in split_model(self.weights, self.servers) if part]
        self.versions = [0] * len(self.parts)
        if self.rank == 0:
            self._ask(
                shard_server.set_up,
                lambda part: (
                    self.job.to_json(),
                    [self.weights[i].detach() for i in part],
                    [dict(self.optimizer.state.get(self.weights[i], {})) for i in part],
                    self.workers,
                    self.synchronous,
                ),
            )
        dist.barrier()
        self.pull()

    def step(self) -> None:
        """Push the gradients to the servers that hold the weights, and take the new weights."""
        if not self.shares.part.closes_step:
            return
        self.learning_rate = float(self.optimizer.param_groups[0]["lr"])
        versions = dict(zip(map(tuple, self.parts), self.versions, strict=True))
        self._take(
            self._ask(
                shard_server.push,
                lambda part: (
                    self.rank,
                    [_gradient(self.weights[i]) for i in part],
                    self.learning_rate,
                    versions[tuple(part)],
                ),
            )
        )
        self.steps += 1

    def pull(self) -> None:
        """Take the servers' weights."""
        self._take(self._ask(shard_server.pull, lambda part: ()))

    def _validate(self) -> Row:
        dist.barrier()  # no gradient is on its way any more
        self.pull()
        row = super()._validate()
        if self.rank == 0:
            self._remember_optimizer()
            ages = [age for ages in self._ask(shard_server.take_staleness, lambda part: ()) for age in ages]
            row |= {"staleness": sum(ages) / max(len(ages), 1), "staleness_max": max(ages, default=0)}
        return row

    def _remember_optimizer(self) -> None:
        """Keep what the servers' optimisers remember, so that a checkpoint holds it."""
        states = self._ask(shard_server.optimizer_state, lambda part: ())
        for part, state in zip(self.parts, states, strict=True):
            for index, saved in zip(part, state, strict=True):
                self.optimizer.state[self.weights[index]] = saved

    def _ask(self, function: Any, arguments: Any) -> list[Any]:
        """Call a function of every server at the same time, and return their answers."""
        pending = [
            rpc.rpc_async(server_name(number), function, args=arguments(part))
            for number, part in enumerate(self.parts)
        ]
        return torch.futures.wait_all(pending)

    def _take(self, replies: list[shard_server.Reply]) -> None:
        self.versions = [version for _, version in replies]
        with torch.no_grad():
            for part, (weights, _) in zip(self.parts, replies, strict=True):
                for index, weight in zip(part, weights, strict=True):
                    self.weights[index].copy_(weight)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
