"""Learning rates that change while training."""

from collections.abc import Callable

from k2c.errors import K2CError
from k2c.training.learner import Callback, Learner


class LearningRateSchedule(Callback):
    """Change the learning rate step by step, after a linear warm-up.

    Parameters
    ----------
    schedule
        Given the step (from 0), returns a factor for the optimiser's learning rate.
    warm_up_steps
        The learning rate of step s is multiplied by (s + 1) / warm_up_steps while that is below 1
        (Goyal et al., 2017, section 2.2).

    Raises
    ------
    K2CError
        For a negative warm-up.
    """

    order = -10

    def __init__(
        self, schedule: Callable[[int], float] = lambda step: 1.0, *, warm_up_steps: int = 0
    ) -> None:
        if warm_up_steps < 0:
            raise K2CError(f"warm_up_steps is {warm_up_steps}. It must be 0 or more.")
        self.schedule, self.warm_up_steps = schedule, warm_up_steps

    def before_fit(self, learner: Learner) -> None:
        """Remember the optimiser's own learning rates, under the name that torch's schedulers use."""
        for group in learner.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    def before_batch(self, learner: Learner) -> None:
        """Set the learning rate of the step to come."""
        warm_up = min(1.0, (learner.steps + 1) / self.warm_up_steps) if self.warm_up_steps else 1.0
        for group in learner.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * self.schedule(learner.steps) * warm_up

    def after_fit(self, learner: Learner) -> None:
        """Give the optimiser its own learning rates back, so that another fit starts from them."""
        for group in learner.optimizer.param_groups:
            group["lr"] = group.pop("initial_lr", group["lr"])
