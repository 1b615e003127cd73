"""What a kernel promises: its arguments with their sizes, its launch, and the work that it must do."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

import numpy as np

from k2c.errors import K2CError

Reference = Callable[..., dict[str, np.ndarray]]
_ARGUMENT = re.compile(
    r"(?P<name>\w+) (?P<way>in|out|inout|int|float)(?: (?P<dtype>int32))?(?:\[(?P<size>[^]]+)\])?"
)


@dataclass(frozen=True)
class Argument:
    """An argument of a kernel.

    Attributes
    ----------
    name
        Its name, as in the source.
    way
        `in`, `out` or `inout` for a buffer; `int` or `float` for a number.
    size
        For a buffer, the number of elements that it must have: a formula of the numbers.
    dtype
        For a buffer, the type of its elements.
    """

    name: str
    way: str
    size: str = ""
    dtype: str = "float32"

    @property
    def is_buffer(self) -> bool:
        """Whether it is a buffer and not a number."""
        return bool(self.size)


@dataclass(frozen=True, eq=False)  # one object a kernel, and quick to look up by
class Specification:
    """The specification of a kernel: its arguments, launch, operations, bytes and reference.

    All formulas are text in the kernel's own numbers (`n`, `m`, `k` ...), its options (`TILE`) and `groups`
    (the number of work-groups along axis 0); `up(a, b)` is a / b rounded up. So they can be shown as they are.

    Attributes
    ----------
    name
        The kernel's name.
    source
        The file in `source/`.
    what
        What it computes, in a few words.
    arguments
        Its arguments in order.
    launch
        The global size: a formula for each axis. It is rounded up to whole work-groups.
    local
        The size of a work-group that suits it, for each axis.
    fixed_local
        Whether no other work-group size works (its local memory is of that size).
    operations
        Floating-point operations, a formula.
    moves
        Bytes that it has to read and write at least: each input once, each output once; a formula.
    options
        Names of compile-time options that its formulas use.
    reference
        The same in NumPy: gets the arguments by name and returns the outputs by name. `None` for helpers.
    requires
        Formulas that have to be true, or the kernel would leave its buffers.
    local_cpu
        Formulas of the work-group size that suits a CPU, when that is another: a core runs a group as a loop,
        so a long group costs less, and what it reads stays in that core's cache.
    """

    name: str
    source: str
    what: str
    arguments: tuple[Argument, ...]
    launch: tuple[str, ...]
    local: tuple[int, ...]
    fixed_local: bool = False
    operations: str = "0"
    moves: str = "0"
    options: tuple[str, ...] = ()
    reference: Reference | None = None
    requires: tuple[str, ...] = ()
    local_cpu: tuple[str, ...] = ()

    def numbers(self, arguments: Mapping[str, Any], options: Mapping[str, int]) -> dict[str, Any]:
        """Return the names that the formulas may use, from a call's arguments and the device's options."""
        values = {a.name: arguments[a.name] for a in self.arguments if not a.is_buffer}
        return values | {name: options[name] for name in self.options}

    def work(self, **numbers: Any) -> tuple[int, int]:
        """Return its floating-point operations and the bytes that it has to move, from its numbers: `work(n=1000)`.

        Raises
        ------
        K2CError
            When a number is missing that its formulas use.
        """
        return evaluate_formula(self.operations, numbers), evaluate_formula(self.moves, numbers)

    def global_size(self, numbers: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the number of work-items that the kernel needs along each axis."""
        return tuple(evaluate_formula(formula, numbers) for formula in self.launch)


def arguments_of(text: str) -> tuple[Argument, ...]:
    """Return the arguments written in short: `a in[n], b inout int32[n*m], n int`.

    Raises
    ------
    K2CError
        When a part cannot be read.
    """
    found = []
    for part in re.split(r",\s*(?![^\[]*\])", text):
        match = _ARGUMENT.fullmatch(part.strip())
        if match is None or (match["way"] in ("in", "out", "inout")) != bool(match["size"]):
            raise K2CError(
                f"The argument {part!r} cannot be read. Write `name in[size]`, `name out[size]`, `name inout[size]`, "
                "`name int` or `name float`."
            )
        found.append(Argument(match["name"], match["way"], match["size"] or "", match["dtype"] or "float32"))
    return tuple(found)


def evaluate_formula(formula: str, numbers: Mapping[str, Any]) -> int:
    """Return the value of a formula, a whole number.

    Raises
    ------
    K2CError
        When the formula uses a name that there is not, or is no formula.
    """
    try:
        return int(
            eval(_compiled(formula), {"__builtins__": {}, "up": _up, "max": max, "min": min}, dict(numbers))
        )
    except (NameError, SyntaxError, TypeError, ZeroDivisionError) as error:
        known = ", ".join(numbers) or "none"
        raise K2CError(
            f"The formula {formula!r} cannot be computed: {error}. Its numbers are {known}."
        ) from None


@cache
def _compiled(formula: str) -> CodeType:
    return compile(formula, "<formula>", "eval")


def _up(a: int, b: int) -> int:
    return -(-a // b)
