"""What a training step costs: the model, its measured inputs, and published speed-ups."""

from k2c.parallel.cost.measure import Measured, fit_link, link_in_steps, measure_steps, predict_here
from k2c.parallel.cost.model import (
    EXCHANGES,
    Link,
    StepCost,
    allgather,
    bandwidth_for,
    gigabit,
    hierarchical,
    parameter_server,
    ring,
    ring_tree_crossing,
    speed_up,
    step_seconds,
    tree,
)
from k2c.parallel.cost.nodes import RADIOLOGIST, NodeSpeedUp
from k2c.parallel.cost.published import POINTS, Published, needed_links

__all__ = [
    "EXCHANGES",
    "POINTS",
    "RADIOLOGIST",
    "Link",
    "Measured",
    "NodeSpeedUp",
    "Published",
    "StepCost",
    "allgather",
    "bandwidth_for",
    "fit_link",
    "gigabit",
    "hierarchical",
    "link_in_steps",
    "measure_steps",
    "needed_links",
    "parameter_server",
    "predict_here",
    "ring",
    "ring_tree_crossing",
    "speed_up",
    "step_seconds",
    "tree",
]
