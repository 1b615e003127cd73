"""What a batch varies: the forms of a sweep in its file."""

import math
import random
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from k2c.course.parameters import Strict, Value

_UNITS = {"s": 1, "min": 60, "h": 3600}


def _seconds(value: Any) -> Any:
    """Read a time: a number of seconds, or text such as `90 s`, `10 min`, `1.5 h`."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]*)?)\s*(s|min|h)\s*", value)
    if match is None:
        raise ValueError("a time is a number of seconds, or text such as 90 s, 10 min or 1.5 h")
    return float(match[1]) * _UNITS[match[2]]


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=10_000_000)]


class Distribution(Strict):
    """Where a random sweep draws a parameter from; exactly one of the fields."""

    uniform: tuple[float, float] | None = None
    log_uniform: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] | None = None
    integers: tuple[int, int] | None = None
    choice: list[Value] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one(self) -> "Distribution":
        given = self.model_fields_set
        if len(given) != 1:
            raise ValueError(
                "give one of uniform, log_uniform, integers (each with [least, greatest]) and choice"
            )
        bounds = self.values()
        if not self.choice and not bounds[0] < bounds[1]:  # type: ignore[operator]
            raise ValueError("the least value comes first, then the greatest")
        return self

    def values(self) -> list[Value]:
        """Return the bounds or the choices."""
        return list(getattr(self, next(iter(self.model_fields_set))) or ())

    def draw(self, drawn: random.Random) -> Value:
        """Return a value at random."""
        if self.choice is not None:
            return drawn.choice(self.choice)
        if self.integers is not None:
            return drawn.randint(*self.integers)
        if self.uniform is not None:
            return drawn.uniform(*self.uniform)
        low, high = self.log_uniform or (1, 1)
        return min(max(math.exp(drawn.uniform(math.log(low), math.log(high))), low), high)

    def contains(self, value: Value) -> bool:
        """Tell whether a value may be drawn."""
        if self.choice is not None:
            return value in self.choice
        low, high = self.values()
        whole = self.integers is None or isinstance(value, int)
        return whole and isinstance(value, int | float) and low <= value <= high  # type: ignore[operator]


class RandomSweep(Strict):
    """`samples` settings drawn at random, the same ones for the same `seed`."""

    samples: int = Field(ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)
    parameters: dict[str, Distribution] = Field(min_length=1)


class Budget(Strict):
    """When a search ends: after `runs`, or when its runs have taken `time` together; whichever comes first."""

    runs: int | None = Field(default=None, ge=1, le=10_000)
    time: Seconds | None = None

    @model_validator(mode="after")
    def _one(self) -> "Budget":
        if self.runs is None and self.time is None:
            raise ValueError("give runs, such as 24, or time, such as 30 min")
        return self


class Prune(Strict):
    """Which runs to end early, by the column `watch` of what `fit` measures after every epoch, such as `accuracy`."""

    watch: str = Field(min_length=1)
    rule: Literal["median", "hyperband"] = "median"


class SearchSweep(Strict):
    """Settings that Optuna proposes, each by what the earlier ones gave.

    Attributes
    ----------
    parameters
        Where each is drawn from.
    objective
        The recorded result or claim that decides.
    direction
        Whether more of it is better.
    budget
        When the search ends.
    sampler
        `tpe` learns from the earlier runs (Bergstra et al. 2011); `random` does not.
    prune
        Which runs to end early.
    seed
        Of the proposals.
    """

    parameters: dict[str, Distribution] = Field(min_length=1)
    objective: str = Field(min_length=1)
    direction: Literal["maximize", "minimize"] = "maximize"
    budget: Budget
    sampler: Literal["tpe", "random"] = "tpe"
    prune: Prune | None = None
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _same_way(self) -> "SearchSweep":
        if self.prune and "loss" in self.prune.watch and self.direction == "maximize":
            raise ValueError(
                f"less of {self.prune.watch} is better, and more of {self.objective}: prune on a column that goes the "
                "same way as the objective, such as accuracy"
            )
        return self

    def may_propose(self, setting: Mapping[str, Value]) -> bool:
        """Tell whether a setting, whatever else it has, is one of those to search among."""
        return all(
            name in setting and source.contains(setting[name]) for name, source in self.parameters.items()
        )


Values = Annotated[list[Value], Field(min_length=1)]
Lists = Annotated[dict[str, Values], Field(min_length=1)]


class Sweep(Strict):
    """What varies; one of the five."""

    grid: Lists | None = None
    zip: Lists | None = None
    random: RandomSweep | None = None
    search: SearchSweep | None = None
    listed: Annotated[list[dict[str, Value]], Field(min_length=1)] | None = Field(default=None, alias="list")

    @model_validator(mode="after")
    def _one(self) -> "Sweep":
        if len(self.model_fields_set) != 1:
            raise ValueError("a sweep is one of grid, zip, random, search and list")
        if self.zip and len({len(values) for values in self.zip.values()}) > 1:
            lengths = ", ".join(f"{name} has {len(values)}" for name, values in self.zip.items())
            raise ValueError(f"the lists of a zip are equally long; here {lengths}")
        return self

    @property
    def kind(self) -> str:
        """`grid`, `zip`, `random`, `search` or `list`."""
        return next(iter(self.model_fields_set)).replace("listed", "list")

    @property
    def size(self) -> int:
        """The number of settings, without making them; of a search 0, before it proposes any."""
        if self.search is not None:
            return 0
        if self.random is not None:
            return self.random.samples
        if self.listed is not None:
            return len(self.listed)
        if self.zip is not None:
            return len(next(iter(self.zip.values()), ()))
        return math.prod(len(values) for values in (self.grid or {}).values())
