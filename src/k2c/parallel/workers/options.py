"""How workers train: the options that strategies share, checked before any process starts."""

import math
from dataclasses import dataclass

from k2c.errors import K2CError, unknown
from k2c.parallel.workers.compression import check_compression
from k2c.parallel.workers.five_steps import STEPS

SCALINGS = ("none", "linear", "sqrt")


@dataclass(frozen=True)
class Options:
    """What every strategy understands.

    Attributes
    ----------
    threads
        Computing threads of a worker. More threads than free cores make every worker slower.
    time_limit
        Seconds without any progress after which the workers are stopped. Starting up may take 180 in any case.
    accumulate
        Batches whose gradients are added up before they are exchanged and a step is made.
    scaling
        What N workers multiply the learning rate by: `"none"` 1, `"linear"` N, `"sqrt"` the root of N.
    warm_up_steps
        Steps over which the learning rate rises to its value.
    max_restarts
        How often workers that died are restarted; training goes on from the last checkpoint.
    """

    threads: int = 1
    time_limit: float = 600.0
    accumulate: int = 1
    scaling: str = "none"
    warm_up_steps: int = 0
    max_restarts: int = 3

    def __post_init__(self) -> None:
        for name, least in (("threads", 1), ("accumulate", 1), ("warm_up_steps", 0), ("max_restarts", 0)):
            if getattr(self, name) < least:
                raise K2CError(f"{name} is {getattr(self, name)}. It must be {least} or more.")
        if self.time_limit <= 0:
            raise K2CError(f"time_limit is {self.time_limit}. It is in seconds, and above 0.")
        if self.scaling not in SCALINGS:
            raise K2CError(unknown("scaling", self.scaling, SCALINGS))

    def rate_factor(self, world_size: int) -> float:
        """Return what the learning rate is multiplied by (Goyal et al., 2017, section 2.1, for `"linear"`)."""
        return {"none": 1.0, "linear": float(world_size), "sqrt": math.sqrt(world_size)}[self.scaling]


@dataclass(frozen=True)
class AllReduceOptions(Options):
    """Options of `all_reduce`, and of the strategies that are built on it.

    Attributes
    ----------
    compression
        How gradients travel: `"none"`, `"fp16"` or `"powersgd"`.

    skip
        Steps of the five to leave out, to see what each is for: names of `STEPS`.
    """

    compression: str = "none"

    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "skip", tuple(self.skip))

        check_compression(self.compression)
        for step in self.skip:
            if step not in STEPS[1:]:
                raise K2CError(unknown("step to skip", step, STEPS[1:]))
