"""Training by several workers: one call, several strategies, and a model of what they cost."""

from k2c.parallel.cost.measure import Measured, fit_link, link_in_steps, measure, predict_here
from k2c.parallel.cost.model import Link, Step, bandwidth_for, epoch_seconds, gigabit, speed_up, step_seconds
from k2c.parallel.cost.published import POINTS, Published, needed_links
from k2c.parallel.job import Experiment, Job, experiment, experiments, maker_of
from k2c.parallel.strategies.registry import Strategy, all_strategies, train, write_plan
from k2c.parallel.workers.place import Place, find_place
from k2c.parallel.workers.supervise import WorkerError, WorkerState

__all__ = [
    "POINTS",
    "Experiment",
    "Job",
    "Link",
    "Measured",
    "Place",
    "Published",
    "Step",
    "Strategy",
    "WorkerError",
    "WorkerState",
    "all_strategies",
    "bandwidth_for",
    "epoch_seconds",
    "experiment",
    "experiments",
    "find_place",
    "fit_link",
    "gigabit",
    "link_in_steps",
    "maker_of",
    "measure",
    "needed_links",
    "predict_here",
    "speed_up",
    "step_seconds",
    "train",
    "write_plan",
]
