"""The checks before a launch: arguments that do not fit a kernel's specification are refused."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from k2c.errors import K2CError
from k2c.kernels.buffers import Buffer, require
from k2c.kernels.specification import Argument, Specification, evaluate_formula

INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class Launch:
    """A checked launch: sizes along each axis, and the arguments as they were given (numbers as NumPy's)."""

    global_size: tuple[int, ...]
    local: tuple[int, ...]
    arguments: tuple[Any, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return 0 in self.global_size


@dataclass(frozen=True)
class LaunchPlan:
    """What follows from a kernel's numbers alone: the launch, and the elements that each buffer needs."""

    global_size: tuple[int, ...]
    local: tuple[int, ...]
    needed: tuple[int, ...]


def check_launch(
    spec: Specification,
    owner: Any,
    options: Mapping[str, int],
    global_size: int | Sequence[int] | None,
    args: Sequence[Any],
    local: int | Sequence[int] | None,
    cpu: bool = False,
) -> Launch:
    """Check a call against the kernel's specification. Sizes that are None are the specification's.

    Raises
    ------
    K2CError
        For a wrong number of arguments, a wrong kind, dtype or device, a buffer with fewer elements than the
        kernel touches, numbers that it cannot work with, and a work-group size that it cannot have.
    """
    if len(args) != len(spec.arguments):
        wanted = ", ".join(argument.name for argument in spec.arguments)
        raise K2CError(f"{spec.name} takes {len(spec.arguments)} arguments ({wanted}), and got {len(args)}.")
    pairs = list(zip(spec.arguments, args, strict=True))
    checked = tuple(_checked(spec, argument, value, owner) for argument, value in pairs)
    numbers = tuple(int(value) for argument, value in pairs if argument.way == "int")
    asked, group = (None if sizes is None else axes_of(sizes) for sizes in (global_size, local))
    plan = _plan(spec, tuple(options.items()), numbers, asked, group, cpu)
    buffers = [(argument, value) for argument, value in pairs if argument.is_buffer]
    for (argument, buffer), needed in zip(buffers, plan.needed, strict=True):
        if buffer.size < needed:
            sizes = _short(_named(spec, numbers))
            raise K2CError(
                f"{spec.name} touches {argument.size} = {needed} elements of {argument.name}, and it has "
                f"{buffer.size} ({sizes}). Make {argument.name} larger, or the numbers smaller."
            )
    return Launch(plan.global_size, plan.local, checked)


# The same few launches come again in every step of a training.
@lru_cache(maxsize=4096)
def _plan(
    spec: Specification,
    options: tuple[tuple[str, int], ...],
    numbers: tuple[int, ...],
    global_size: tuple[int, ...] | None,
    local: tuple[int, ...] | None,
    cpu: bool,
) -> LaunchPlan:
    values = _named(spec, numbers) | dict(options)
    if local is None and cpu and spec.local_cpu:
        local = tuple(max(1, evaluate_formula(formula, values)) for formula in spec.local_cpu)
    group = _group(spec, local)
    sizes = _rounded(spec, spec.global_size(values) if global_size is None else global_size, group)
    values["groups"] = sizes[0] // group[0]
    for condition in spec.requires:
        if not evaluate_formula(condition, values):
            raise K2CError(f"{spec.name} needs {condition}, which is not so here: {_short(values)}.")
    needed = tuple(
        evaluate_formula(argument.size, values) for argument in spec.arguments if argument.is_buffer
    )
    if min(needed, default=0) < 0:
        raise K2CError(f"{spec.name} cannot work with {_short(values)}: a size comes out negative.")
    return LaunchPlan(sizes, group, needed)


def _checked(spec: Specification, argument: Argument, value: Any, owner: Any) -> Any:
    if argument.is_buffer:
        # The message is made only when it is needed: this runs before every launch.
        if isinstance(value, Buffer) and value.owner is owner and value.dtype == argument.dtype:
            return value
        return require(f"{argument.name} of {spec.name}", value, owner, dtype=argument.dtype)
    where = f"{argument.name} of {spec.name}"
    if isinstance(value, Buffer) or not isinstance(value, int | float | np.number):
        raise K2CError(f"{where} is a number ({argument.way}), and got {value!r}.")
    if argument.way == "float":
        return np.float32(value)
    if int(value) != value or not 0 <= value <= INT_MAX:
        raise K2CError(f"{where} is a whole number from 0 to {INT_MAX}, and got {value!r}.")
    return np.int32(value)


def _group(spec: Specification, local: tuple[int, ...] | None) -> tuple[int, ...]:
    group = spec.local if local is None else local
    if len(group) != len(spec.local) or any(size < 1 for size in group):
        raise K2CError(
            f"{spec.name} has {len(spec.local)} axes; local={group} does not fit. Try local={spec.local}."
        )
    if spec.fixed_local and group != spec.local:
        raise K2CError(
            f"{spec.name} has local memory for work-groups of {spec.local}, so local={group} would leave it. "
            "Leave local out."
        )
    return group


def _rounded(spec: Specification, sizes: tuple[int, ...], group: tuple[int, ...]) -> tuple[int, ...]:
    if len(sizes) != len(group) or any(size < 0 for size in sizes):
        raise K2CError(f"{spec.name} has {len(group)} axes; a global size of {sizes} does not fit.")
    return tuple(-(-size // step) * step for size, step in zip(sizes, group, strict=True))


def axes_of(sizes: int | Sequence[int]) -> tuple[int, ...]:
    """Return the sizes along each axis; a single number is that of one axis."""
    return (int(sizes),) if isinstance(sizes, int | np.integer) else tuple(int(size) for size in sizes)


def _named(spec: Specification, numbers: tuple[int, ...]) -> dict[str, int]:
    names = [argument.name for argument in spec.arguments if argument.way == "int"]
    return dict(zip(names, numbers, strict=True))


def _short(numbers: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in numbers.items())
