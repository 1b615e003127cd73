"""A parameter server: it holds a part of the model, takes gradients, and gives weights."""

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from k2c.parallel.job import Job

Reply = tuple[list[Tensor], int]  # the weights, and their version


class ModelPart:
    """The part of the model that a server holds. Its methods may be called from several threads.

    Parameters
    ----------
    job
        The job as JSON values; its optimiser lives here, with its state, and no worker has one.
    weights
        The tensors of this part.
    state
        What the optimiser remembers of each tensor from before a resume.
    workers
        How many push gradients.
    synchronous
        Whether a step waits for all of them.
    """

    def __init__(
        self, job: dict[str, Any], weights: Sequence[Tensor], state: Sequence[dict[str, Any]], workers: int,
        synchronous: bool,
    ) -> None:  # fmt: skip
        self.parameters = [nn.Parameter(weight.clone()) for weight in weights]
        self.optimizer = Job.from_json(job).build().optimizer(self.parameters)
        for parameter, saved in zip(self.parameters, state, strict=True):
            self.optimizer.state[parameter] = saved
        self.workers, self.synchronous = workers, synchronous
        self.version = 0
        self.staleness: list[int] = []
        self._stepped = threading.Condition()
        self._waiting: dict[int, list[Tensor]] = {}

    def pull(self) -> Reply:
        """Return the weights and their version."""
        with self._stepped:
            return self._reply()

    def push(self, rank: int, gradients: list[Tensor], rate: float, version: int) -> Reply:
        """Take a worker's gradients, computed with the weights of `version`, and return the new weights."""
        with self._stepped:
            self.staleness.append(self.version - version)
            if not self.synchronous:
                self._step(gradients, rate)
                return self._reply()
            self._waiting[rank] = gradients
            before = self.version
            if len(self._waiting) == self.workers:
                everyone = [self._waiting[other] for other in sorted(self._waiting)]  # sums in a fixed order
                self._waiting.clear()
                self._step([torch.stack(parts).mean(0) for parts in zip(*everyone, strict=True)], rate)
                self._stepped.notify_all()
            # The next step needs the gradients of those who wait here, so this is the step they wait for.
            self._stepped.wait_for(lambda: self.version > before)
            return self._reply()

    def optimizer_state(self) -> list[dict[str, Any]]:
        """Return what the optimiser remembers of each tensor, for a checkpoint."""
        with self._stepped:
            return [dict(self.optimizer.state[parameter]) for parameter in self.parameters]

    def take_staleness(self) -> list[int]:
        """Return how many steps old the weights of each gradient were, and start a new list."""
        with self._stepped:
            found, self.staleness = self.staleness, []
            return found

    def _step(self, gradients: Sequence[Tensor], rate: float) -> None:
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.version += 1

    def _reply(self) -> Reply:
        return [parameter.detach().clone() for parameter in self.parameters], self.version


_part: ModelPart | None = None  # of this process, once worker 0 has sent it


def answer(method: str, *arguments: Any) -> Any:
    """Make this process's part (`"set_up"`, with the parameters of `ModelPart`), or call a method of it."""
    global _part
    if method == "set_up":
        _part = ModelPart(*arguments)
        return None
    return getattr(_part, method)(*arguments)
