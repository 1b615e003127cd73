"""What the processes of `parameter_server` run: the first ranks are workers, the last ones servers."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed import rpc

from k2c.atomic import atomic_path
from k2c.parallel import shard_server
from k2c.parallel.job import Job
from k2c.parallel.messages import Messenger
from k2c.parallel.options import ServerOptions
from k2c.parallel.place import Place, find_place
from k2c.parallel.replica import train_replica
from k2c.parallel.server_learner import ServerLearner, server_name
from k2c.parallel.worker import hold_lifeline, run_worker


def main() -> None:
    """Be a worker or a server, as the rank says."""
    folder, place = Path(sys.argv[1]), find_place()
    messenger = Messenger(folder / "messages", place.rank)
    hold_lifeline()
    run_worker(messenger, lambda: _work(folder, place, messenger))


def _work(folder: Path, place: Place, messenger: Messenger) -> None:
    run = json.loads((folder / "run.json").read_text())
    options, job = ServerOptions(**run["options"]), Job.from_json(run["job"])
    workers = place.world_size - options.servers
    torch.set_num_threads(options.threads)
    shard_server.serve(messenger)
    name = f"worker{place.rank}" if place.rank < workers else server_name(place.rank - workers)
    limit = 2 * options.time_limit + 60
    rpc.init_rpc(
        name,
        rank=place.rank,
        world_size=place.world_size,
        rpc_backend_options=rpc.TensorPipeRpcBackendOptions(
            num_worker_threads=workers + 4,
            rpc_timeout=limit,
            init_method=f"tcp://{place.address}:{place.port}",
        ),
    )
    if place.rank < workers:
        _train(folder, place, messenger, options, job, workers, limit)
    rpc.shutdown()  # waits for all: a server serves until the last worker is done


def _train(
    folder: Path, place: Place, messenger: Messenger, options: ServerOptions, job: Job, workers: int,
    limit: float,
) -> None:  # fmt: skip
    # A group of the workers alone, for the barrier and the metrics; its store is the one that rank 0 holds.
    store = dist.TCPStore(place.address, place.port, is_master=False, wait_for_workers=False)
    dist.init_process_group(
        "gloo", store=dist.PrefixStore("workers", store), rank=place.rank, world_size=workers,
        timeout=timedelta(seconds=limit),
    )  # fmt: skip
    ServerLearner.job, ServerLearner.rank, ServerLearner.workers = job, place.rank, workers
    ServerLearner.servers, ServerLearner.synchronous = options.servers, options.synchronous
    history = train_replica(
        job, options.of_a_worker(), place.rank, workers, torch.device("cpu"), folder, messenger,
        kind=ServerLearner,
    )  # fmt: skip
    if place.rank == 0:
        with atomic_path(folder / "history.json") as part:
            part.write_text(history.to_json())
    dist.barrier()
