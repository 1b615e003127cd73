"""Learning rates that change while training."""

from collections.abc import Callable
from typing import Any

from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from k2c.errors import K2CError
from k2c.training.learner import Callback, Learner


class LearningRateSchedule(Callback):
    """Change the learning rate step by step or epoch by epoch, after a linear warm-up.

    Parameters
    ----------
    schedule
        Either a function of the step (from 0, or of the epoch with `every="epoch"`) that returns a factor for
        the optimiser's learning rate, or a scheduler of `torch.optim.lr_scheduler` made with the optimiser.
    warm_up_steps
        The learning rate of step s is multiplied by (s + 1) / warm_up_steps while that is below 1
        (Goyal et al., 2017, section 2.2).
    every
        `"step"` or `"epoch"`: what the function counts, or when the scheduler moves on.

    Raises
    ------
    K2CError
        For another `every`, a negative warm-up, or `ReduceLROnPlateau`, which reacts to a measured value.
    """

    order = -10

    def __init__(
        self,
        schedule: Callable[[int], float] | LRScheduler = lambda step: 1.0,
        *,
        warm_up_steps: int = 0,
        every: str = "step",
    ) -> None:
        if every not in ("step", "epoch"):
            raise K2CError(f"every is {every!r}. A schedule moves on every 'step' or every 'epoch'.")
        if warm_up_steps < 0:
            raise K2CError(f"warm_up_steps is {warm_up_steps}. It must be 0 or more.")
        if isinstance(schedule, ReduceLROnPlateau):
            raise K2CError(
                "ReduceLROnPlateau reacts to a measured value; pass a function of the step instead."
            )
        self.schedule, self.warm_up_steps, self.every = schedule, warm_up_steps, every

    def before_fit(self, learner: Learner) -> None:
        """Remember the optimiser's own learning rates, under the name that torch's schedulers use."""
        for group in learner.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])

    def before_batch(self, learner: Learner) -> None:
        """Set the learning rate of the step to come."""
        warm_up = min(1.0, (learner.steps + 1) / self.warm_up_steps) if self.warm_up_steps else 1.0
        for group, rate in zip(learner.optimizer.param_groups, self._rates(learner), strict=True):
            group["lr"] = rate * warm_up

    def after_batch(self, learner: Learner) -> None:
        """Take the warm-up off again (torch's schedulers compute a rate from the one before) and move on."""
        if isinstance(self.schedule, LRScheduler):
            for group, rate in zip(learner.optimizer.param_groups, self._rates(learner), strict=True):
                group["lr"] = rate
            if self.every == "step":
                self.schedule.step()

    def after_epoch(self, learner: Learner) -> None:
        """Move a scheduler on that counts epochs."""
        if isinstance(self.schedule, LRScheduler) and self.every == "epoch":
            self.schedule.step()

    def after_fit(self, learner: Learner) -> None:
        """Give the optimiser its own learning rates back, so that another fit starts from them."""
        if not isinstance(self.schedule, LRScheduler):
            for group in learner.optimizer.param_groups:
                group["lr"] = group.pop("initial_lr", group["lr"])

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state; a function has none beyond the number of steps."""
        if not isinstance(self.schedule, LRScheduler):
            return {}
        plain = (bool, int, float, str, list, dict, type(None))
        return {name: value for name, value in self.schedule.state_dict().items() if isinstance(value, plain)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the scheduler's state back."""
        if isinstance(self.schedule, LRScheduler):
            self.schedule.load_state_dict(state)

    def _rates(self, learner: Learner) -> list[float]:
        if isinstance(self.schedule, LRScheduler):
            return [float(rate) for rate in self.schedule.get_last_lr()]
        factor = self.schedule(learner.steps if self.every == "step" else learner.epoch)
        return [group["initial_lr"] * factor for group in learner.optimizer.param_groups]
