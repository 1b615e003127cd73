"""A parameter server: it holds a part of the model, takes gradients, and gives weights.

The functions of this module run in a server's process, called by workers through torch.distributed.rpc.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import rpc
from torch.futures import Future

from k2c.parallel.job import Job
from k2c.parallel.messages import Messenger

Reply = tuple[list[Tensor], int]  # the weights, and their version


class ModelPart:
    """The part of the model that a server holds.

    Parameters
    ----------
    weights
        Its tensors.
    make_optimizer
        Makes the optimiser of them; it lives here, with its state, and no worker has one.
    workers
        How many push gradients.
    synchronous
        Whether a step waits for all of them.
    """

    def __init__(
        self,
        weights: list[Tensor],
        make_optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        workers: int,
        synchronous: bool,
    ) -> None:
        self.parameters = [nn.Parameter(weight.clone()) for weight in weights]
        self.optimizer = make_optimizer(self.parameters)
        self.workers, self.synchronous = workers, synchronous
        self.version = 0
        self.staleness: list[int] = []
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[list[Tensor], Future[Reply]]] = {}

    def pull(self) -> Reply:
        """Return the weights and their version."""
        with self._lock:
            return self._reply()

    def push(self, rank: int, gradients: list[Tensor], rate: float, version: int) -> Future[Reply]:
        """Take a worker's gradients, computed with the weights of `version`; the reply is the new weights."""
        answer: Future[Reply] = Future()
        with self._lock:
            self.staleness.append(self.version - version)
            if not self.synchronous:
                self._step(gradients, rate)
                answer.set_result(self._reply())
                return answer
            self._waiting[rank] = gradients, answer
            if len(self._waiting) < self.workers:
                return answer
            everyone = [self._waiting[other] for other in sorted(self._waiting)]
            self._waiting.clear()
            sums = [torch.stack(parts).sum(0) for parts in zip(*(g for g, _ in everyone), strict=True)]
            self._step([total / self.workers for total in sums], rate)
            reply = self._reply()
        for _, waiting in everyone:
            waiting.set_result(reply)
        return answer

    def _step(self, gradients: list[Tensor], rate: float) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.version += 1

    def _reply(self) -> Reply:
        return [parameter.detach().clone() for parameter in self.parameters], self.version


class _Server:
    part: ModelPart
    messenger: Messenger


def serve(messenger: Messenger) -> None:
    """Make this process a server; its reports go to `messenger`."""
    _Server.messenger = messenger


def set_up(
    job: dict[str, Any], weights: list[Tensor], state: list[dict[str, Any]], workers: int, synchronous: bool
) -> None:
    """Give this server its part, and what its optimiser remembers from before a resume."""
    part = ModelPart(weights, Job.from_json(job).build().optimizer, workers, synchronous)
    for parameter, saved in zip(part.parameters, state, strict=True):
        part.optimizer.state[parameter] = saved
    _Server.part = part


def pull() -> Reply:
    """Return this server's weights and their version."""
    return _Server.part.pull()


@rpc.functions.async_execution
def push(rank: int, gradients: list[Tensor], rate: float, version: int) -> Future[Reply]:
    """Take gradients; see `ModelPart.push`."""
    _Server.messenger.pulse(0, _Server.part.version, 0)
    return _Server.part.push(rank, gradients, rate, version)


def optimizer_state() -> list[dict[str, Any]]:
    """Return what the optimiser remembers of each tensor, for a checkpoint."""
    return [dict(_Server.part.optimizer.state[parameter]) for parameter in _Server.part.parameters]


def take_staleness() -> list[int]:
    """Return how many steps old the weights of each gradient were, and start a new list."""
    found, _Server.part.staleness = _Server.part.staleness, []
    return found
