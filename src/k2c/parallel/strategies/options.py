"""How a strategy trains: its options, checked before any process starts."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, TypeVar

from k2c._system.advice import set_option
from k2c.errors import K2CError, unknown

ENGINES = ("rpc", "ray")  # of parameter_server
SCHEMES = ("barrier", "shuffle", "distributor")  # of spark
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
    """

    threads: int = 1
    time_limit: float = 600.0

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise K2CError(f"threads is {self.threads}. A worker needs 1 or more.")
        if self.time_limit <= 0:
            raise K2CError(f"time_limit is {self.time_limit}. It is in seconds, and above 0.")


@dataclass(frozen=True)
class AllReduceOptions(Options):
    """Options of `all_reduce`, and of the strategies that are built on it.

    Attributes
    ----------
    accumulate
        Batches whose gradients are added up before they are exchanged and a step is made.
    compression
        How gradients travel: `"none"`, `"fp16"` or `"powersgd"`.
    scaling
        What N workers multiply the learning rate by: `"none"` 1, `"linear"` N, `"sqrt"` the root of N.
    warm_up_steps
        Steps over which the learning rate rises to its value.
    max_restarts
        How often workers that died are restarted; training goes on from the last checkpoint.
    port
        Where the workers meet; a free one when left out.
    skip
        Steps of the five to leave out, to see what each is for: names of `five_steps.STEPS`.
    """

    accumulate: int = 1
    compression: str = "none"
    scaling: str = "none"
    warm_up_steps: int = 0
    max_restarts: int = 3
    port: int | None = None
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        from k2c.parallel.strategies.compression import check_compression
        from k2c.parallel.workers.five_steps import STEPS

        super().__post_init__()
        object.__setattr__(self, "skip", tuple(self.skip))
        for name, least in (("accumulate", 1), ("warm_up_steps", 0), ("max_restarts", 0)):
            if getattr(self, name) < least:
                raise K2CError(f"{name} is {getattr(self, name)}. It must be {least} or more.")
        if self.port is not None and not 1024 <= self.port <= 65535:
            raise K2CError(f"port is {self.port}. Choose one from 1024 to 65535, or leave it out.")
        check_compression(self.compression)
        if self.scaling not in SCALINGS:
            raise K2CError(unknown("scaling", self.scaling, SCALINGS))
        for step in self.skip:
            if step not in STEPS[1:]:
                raise K2CError(unknown("step to skip", step, STEPS[1:]))

    def rate_factor(self, world_size: int) -> float:
        """Return what the learning rate is multiplied by."""
        return {"none": 1.0, "linear": float(world_size), "sqrt": math.sqrt(world_size)}[self.scaling]


Kind = TypeVar("Kind", bound=Options)


def make_options(kind: type[Kind], strategy: str, given: dict[str, Any]) -> Kind:
    """Return the options of a strategy.

    Raises
    ------
    K2CError
        For an option that it does not have, or a value that is not allowed.
    """
    known = [field.name for field in dataclasses.fields(kind)]
    for name in given:
        if name not in known:
            raise K2CError(unknown(f"option of {strategy!r}", name, known))
    return kind(**given)


# Open MPI's numbers of its ways to all-reduce (coll_tuned_allreduce_algorithm).
MPI_ALGORITHMS = {"automatic": 0, "linear": 1, "recursive_doubling": 3, "ring": 4, "rabenseifner": 6}


@dataclass(frozen=True)
class MpiOptions(AllReduceOptions):
    """Options of `mpi`: those of `all_reduce`, without restarts, and the algorithm.

    Attributes
    ----------
    algorithm
        How Open MPI averages: a name of `MPI_ALGORITHMS`.
    """

    max_restarts: int = 0
    algorithm: str = "automatic"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.algorithm not in MPI_ALGORITHMS:
            raise K2CError(unknown("algorithm", self.algorithm, MPI_ALGORITHMS))
        if self.compression != "none":
            raise K2CError("'mpi' sends gradients as they are. Leave `compression` out, or use 'all_reduce'.")
        if self.max_restarts:
            raise K2CError("mpirun restarts no worker. Leave `max_restarts` out, or use 'all_reduce'.")


@dataclass(frozen=True)
class HorovodOptions(AllReduceOptions):
    """Options of `horovod`: those of `all_reduce`, without restarts, port and PowerSGD."""

    max_restarts: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compression == "powersgd":
            raise K2CError(
                f"Horovod has no PowerSGD. Use {set_option('compression', 'fp16')}, or the strategy 'all_reduce'."
            )
        if self.max_restarts:
            raise K2CError(
                "horovodrun restarts no worker here. Leave `max_restarts` out, or use 'all_reduce'."
            )
        if self.port is not None:
            raise K2CError("Horovod's workers agree on a port themselves. Leave `port` out.")


@dataclass(frozen=True)
class SparkOptions(AllReduceOptions):
    """Options of `spark`: those of `all_reduce`; a failed stage is tried again `max_restarts` times.

    Attributes
    ----------
    scheme
        How the partitions' gradients meet: `"barrier"`, all tasks at the same time, with an all-reduce between
        them; `"shuffle"`, in slices that Spark's shuffle sums and the driver broadcasts back, as BigDL does;
        `"distributor"`, Spark's TorchDistributor, which starts the workers of `all_reduce` as tasks and leaves
        the data to them. pyspark's own launcher listens on all addresses there.
    """

    scheme: str = "barrier"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheme not in SCHEMES:
            raise K2CError(unknown("scheme", self.scheme, SCHEMES))
        if self.port is not None:
            raise K2CError("Spark's workers agree on a port themselves. Leave `port` out.")
        if self.scheme == "shuffle" and (self.compression != "none" or self.skip):
            raise K2CError(
                f"scheme='shuffle' has no `compression` and no step to `skip`. Use {set_option('scheme', 'barrier')}."
            )


@dataclass(frozen=True)
class ServerOptions(Options):
    """Options of `parameter_server`.

    Attributes
    ----------
    servers
        How many processes hold the model, each a part.
    synchronous
        Whether a step waits for the gradients of all workers. Otherwise each gradient is applied as it comes,
        though it was computed with weights that others have changed since: it is stale.
    engine
        What starts the processes and carries the tensors: `"rpc"` (torchrun and torch.distributed.rpc) or `"ray"`
        (Ray's actors).
    scaling, warm_up_steps, accumulate, max_restarts
        As for `all_reduce`. When a process dies, all are started again, and go on from the last checkpoint.
    """

    servers: int = 1
    synchronous: bool = True
    engine: str = "rpc"
    scaling: str = "none"
    warm_up_steps: int = 0
    accumulate: int = 1
    max_restarts: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.servers < 1:
            raise K2CError(f"servers is {self.servers}. There must be 1 or more.")
        if self.engine not in ENGINES:
            raise K2CError(unknown("engine", self.engine, ENGINES))
        self.of_a_worker()

    def of_a_worker(self) -> AllReduceOptions:
        """Return what holds for each worker's own part."""
        return AllReduceOptions(
            threads=self.threads,
            time_limit=self.time_limit,
            scaling=self.scaling,
            warm_up_steps=self.warm_up_steps,
            accumulate=self.accumulate,
            max_restarts=self.max_restarts,
        )
