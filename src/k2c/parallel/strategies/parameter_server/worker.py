"""What the processes of `parameter_server` run: the first ranks are workers, the last ones servers."""

import time
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed import rpc

from k2c.parallel.strategies.parameter_server.learner import ServerLearner
from k2c.parallel.strategies.parameter_server.strategy import ServerOptions
from k2c.parallel.workers.learner import Worker
from k2c.parallel.workers.messages import Messenger
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.rendezvous import HOST, Rendezvous
from k2c.parallel.workers.replica import train_replica
from k2c.parallel.workers.worker import enter_run, exit_now, read_run, report_on

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


if __name__ == "__main__":
    exit_now(main())
