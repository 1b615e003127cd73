"""`parameter_server` on Ray: run with FOLDER WORKERS SESSION, this module starts the actors.

Servers and workers are actors, each a process. When one dies, Ray starts it again; the driver has all others started
again too, and the training goes on from the last checkpoint. On Kubernetes, KubeRay runs the same actors.
"""

import logging
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import ray
import torch

from k2c._system.advice import set_option
from k2c.errors import K2CError
from k2c.parallel.strategies.parameter_server.learner import ServerLearner
from k2c.parallel.strategies.parameter_server.server import ServerProcess
from k2c.parallel.strategies.parameter_server.strategy import ServerOptions
from k2c.parallel.workers.five_steps import TorchSteps
from k2c.parallel.workers.learner import Worker
from k2c.parallel.workers.lifeline import LIFELINE, end_with_parent
from k2c.parallel.workers.messages import DRIVER, Messenger
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.rendezvous import HOST, Rendezvous, free_port
from k2c.parallel.workers.replica import train_replica
from k2c.parallel.workers.start import launcher
from k2c.parallel.workers.worker import exit_now, read_run, report_on

_START_UP = 120.0  # seconds
_MEMORY = 200 * 2**20  # bytes of memory shared between the actors


class ServerActor(ServerProcess):
    """A server."""

    def __init__(self, folder: str, rank: int, threads: int) -> None:
        super().__init__()
        torch.set_num_threads(threads)
        self._messenger = Messenger(Path(folder) / "messages", rank)

    def start(self, attempt: int) -> None:
        """Say that this server is here."""
        self._messenger.attempt = attempt
        self._messenger.event("start", pid=os.getpid())


class WorkerActor:
    """A worker."""

    def train(self, folder: Path, rendezvous: Rendezvous, attempt: int, servers: list[Any]) -> None:
        """Train as one of the workers. A process that fails ends, and Ray starts it again."""
        messenger = Messenger(folder / "messages", rendezvous.rank, attempt)
        if status := report_on(messenger, lambda: _train(folder, rendezvous, messenger, servers)):
            exit_now(status)


def _train(folder: Path, rendezvous: Rendezvous, messenger: Messenger, servers: list[Any]) -> None:
    job, options = read_run(folder, ServerOptions)
    _, own = read_run(folder, AllReduceOptions)
    torch.set_num_threads(options.threads)
    steps = TorchSteps()
    steps.initialise(rendezvous, 2 * options.time_limit + 60)
    worker = Worker(folder, job, own, rendezvous.rank, rendezvous.world_size, messenger, steps=steps)
    train_replica(worker, learner_of=partial(ServerLearner, partial(_ask, servers), options))
    steps.finish()


def _ask(servers: list[Any], method: str, arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Call a method of every server's part at the same time, and return their answers."""
    return ray.get(
        [server.call.remote(method, *given) for server, given in zip(servers, arguments, strict=False)]
    )


def _start_and_train(folder: Path, workers: int, options: ServerOptions) -> None:
    """Start the actors and train, again after a death."""
    # Ray's types know neither the options of actors nor their methods.
    serve: Any = ray.remote(num_cpus=1, max_restarts=-1, max_concurrency=workers + 4)(ServerActor)  # type: ignore
    work: Any = ray.remote(num_cpus=1, max_restarts=-1)(WorkerActor)
    ranks = range(workers, workers + options.servers)
    servers = [serve.remote(str(folder), rank, options.threads) for rank in ranks]
    trainers = [work.remote() for _ in range(workers)]
    for attempt in range(options.max_restarts + 1):
        try:
            ray.get([server.start.remote(attempt) for server in servers])
            port = free_port()
            places = [Rendezvous(rank, workers, rank, port) for rank in range(workers)]
            ray.get(
                [
                    trainer.train.remote(folder, place, attempt, servers)
                    for trainer, place in zip(trainers, places, strict=True)
                ]
            )
        except ray.exceptions.RayError as error:
            print(error, file=sys.stderr)
            for actor in (*servers, *trainers):
                ray.kill(actor, no_restart=False)
            continue
        for rank in ranks:
            Messenger(folder / "messages", rank, attempt).event("done")
        return
    raise RuntimeError("a connection was closed in every attempt")


def main() -> int:
    """Be the driver; returns the exit status."""
    folder, workers, session = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    end_with_parent()
    os.environ[LIFELINE] = "0"  # the actors end with Ray, and Ray with this process
    messenger = Messenger(folder / "messages", DRIVER)

    def work() -> None:
        _, options = read_run(folder, ServerOptions)
        _start_ray(workers + options.servers, session, messenger)
        _start_and_train(folder, workers, options)

    return report_on(messenger, work)


def _start_ray(actors: int, session: str, messenger: Messenger) -> None:
    """Start Ray on this machine and connect to it.

    Its helpers get their ports here: Ray waits 15 s for a helper to choose one, and dies on a busy machine.
    """
    port, *helpers = {free_port() for _ in range(12)}
    flags = (
        "dashboard-agent-grpc-port",
        "dashboard-agent-listen-port",
        "runtime-env-agent-port",
        "metrics-export-port",
    )
    subprocess.Popen(
        launcher(
            sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
            f"--node-ip-address={HOST}", f"--port={port}", f"--num-cpus={actors}", f"--temp-dir={session}",
            f"--object-store-memory={_MEMORY}", "--include-dashboard=False", "--include-log-monitor=False",
            *(f"--{flag}={number}" for flag, number in zip(flags, helpers, strict=False)),
        ).command,
        stdin=subprocess.PIPE,  # closes when this process ends, and Ray ends then
    )  # fmt: skip
    end = time.monotonic() + _START_UP
    while True:
        try:
            ray.init(address=f"{HOST}:{port}", _node_ip_address=HOST, logging_level=logging.ERROR)
            return
        except ConnectionError as error:  # not there yet
            messenger.alive()
            if time.monotonic() > end:
                raise K2CError(
                    f"Ray did not start within {_START_UP:g} s. End other programs that keep this machine busy, or "
                    f"use {set_option('engine', 'rpc')}."
                ) from error
            time.sleep(0.5)


if __name__ == "__main__":
    # As a module of the package: what is pickled from __main__ does not arrive in the actors.
    from k2c.parallel.strategies.parameter_server import on_ray

    exit_now(on_ray.main())
