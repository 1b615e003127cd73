"""Training by several workers: one call, several strategies, and (in `cost`) a model of what they cost."""

from k2c.parallel.experiments import film_inputs, films
from k2c.parallel.job import Experiment, Job, all_experiments, experiment
from k2c.parallel.staleness import largest_stable_rate, train_stale
from k2c.parallel.strategies.mpi.strategy import time_all_reduce
from k2c.parallel.strategies.registry import all_strategies, train
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.compression import bytes_per_step
from k2c.parallel.workers.five_steps import STEPS
from k2c.parallel.workers.rendezvous import Rendezvous, find_rendezvous
from k2c.parallel.workers.start import prepare_workers
from k2c.parallel.workers.watch import WorkerError, WorkerState

__all__ = [
    "STEPS",
    "Experiment",
    "Job",
    "Rendezvous",
    "Strategy",
    "WorkerError",
    "WorkerState",
    "all_experiments",
    "all_strategies",
    "bytes_per_step",
    "experiment",
    "film_inputs",
    "films",
    "find_rendezvous",
    "largest_stable_rate",
    "prepare_workers",
    "time_all_reduce",
    "train",
    "train_stale",
]
