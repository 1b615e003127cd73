"""Training by several workers: one call, several strategies, and a model of what they cost."""

from k2c.parallel.cost import Link, Step, bandwidth_for, epoch_seconds, gigabit, speed_up, step_seconds
from k2c.parallel.job import Experiment, Job, experiment, experiments, maker_of
from k2c.parallel.measure import Measured, fit_link, link_in_steps, measure, predict_here
from k2c.parallel.place import Place, find_place
from k2c.parallel.published import POINTS, Published, needed_links
from k2c.parallel.strategies import Strategy, strategies, train, write_plan
from k2c.parallel.supervise import WorkerError, WorkerState

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
    "strategies",
    "train",
    "write_plan",
]
