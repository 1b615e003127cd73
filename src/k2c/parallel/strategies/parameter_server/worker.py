"""What the processes of `parameter_server` run on torch: the first ranks are workers, the last ones servers."""

import os
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import rpc

from k2c.parallel.meet import method_of
from k2c.parallel.strategies.options import ServerOptions
from k2c.parallel.strategies.parameter_server.learner import ServerLearner
from k2c.parallel.strategies.parameter_server.server import Server
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.place import Place, find_place
from k2c.parallel.workers.worker import hold_lifeline, read_run, report, train_and_write

_AT_THE_END = 60.0  # seconds in which the others leave, before worker 0 takes the store with it
_server = Server()  # of this process, for calls from others


def main() -> int:
    """Be a worker or a server, as the rank says; returns the exit status."""
    folder, place = Path(sys.argv[1]), find_place()
    messenger = Messenger(
        folder / "messages", place.rank, int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    )
    hold_lifeline()
    return report(messenger, lambda: _work(folder, place, messenger))


def _work(folder: Path, place: Place, messenger: Messenger) -> None:
    job, options = read_run(folder, ServerOptions)
    workers = place.world_size - options.servers
    torch.set_num_threads(options.threads)
    limit = 2 * options.time_limit + 60
    rpc.init_rpc(
        f"{place.rank}",
        rank=place.rank,
        world_size=place.world_size,
        rpc_backend_options=rpc.TensorPipeRpcBackendOptions(
            num_worker_threads=workers + 4,  # a synchronous push waits in its thread for the other workers
            rpc_timeout=limit,
            init_method=method_of(place),
        ),
    )
    store = dist.TCPStore(place.address, place.port, is_master=False, wait_for_workers=False)
    if place.rank < workers:
        # A group of the workers alone, for the barrier and the metrics.
        dist.init_process_group(
            "gloo", store=dist.PrefixStore("workers", store), rank=place.rank, world_size=workers,
            timeout=timedelta(seconds=limit),
        )  # fmt: skip
        names = [str(rank) for rank in range(workers, place.world_size)]
        learner = partial(ServerLearner, partial(_ask, names), job, place.rank, workers, options)
        train_and_write(folder, job, options.of_a_worker(), place.rank, workers, messenger, kind=learner)
        dist.barrier()
    _leave(store, place, workers)


def _leave(store: dist.TCPStore, place: Place, workers: int) -> None:
    """Leave when all workers have trained; worker 0, which holds the store, after everybody else.

    rpc.shutdown promises that too, but lets worker 0 end while another still asks the store.
    """
    if place.rank < workers:
        store.set("trained", "yes")
    else:
        store.wait(["trained"], timedelta(days=365))
    store.add("left", 1)
    end = time.monotonic() + _AT_THE_END
    while place.rank == 0 and store.add("left", 0) < place.world_size and time.monotonic() < end:
        time.sleep(0.01)


def _ask(names: list[str], method: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Call a method of every server's part at the same time, and return their answers."""
    return torch.futures.wait_all(
        [
            rpc.rpc_async(name, _answer, args=(method, *given))
            for name, given in zip(names, arguments, strict=False)  # a small model needs fewer servers
        ]
    )


def _answer(method: str, *arguments: Any) -> Any:
    return _server.call(method, *arguments)
