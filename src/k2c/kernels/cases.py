"""Random arguments for a kernel, and a comparison with its specification that names the first wrong element."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from k2c.errors import K2CError
from k2c.kernels.base import Ops
from k2c.kernels.build import options_of
from k2c.kernels.on_kernels import KernelOps
from k2c.kernels.specification import Specification, evaluate_formula
from k2c.kernels.table import specification

TOLERANCE = 1e-4
TRIES = (1, 7, 64, 65, 300)  # sizes for first_error: one, odd, whole groups, one more


@dataclass(frozen=True)
class Case:
    """A kernel with arguments: arrays on the host in the specification's order, numbers, and the launch."""

    spec: Specification
    arrays: dict[str, np.ndarray]
    numbers: dict[str, Any]
    global_size: tuple[int, ...]
    local: tuple[int, ...]

    def put(self, ops: Ops) -> list[Any]:
        """Return the arguments in order, the arrays on a device."""
        return [
            ops.put(self.arrays[argument.name]) if argument.is_buffer else self.numbers[argument.name]
            for argument in self.spec.arguments
        ]

    def expected(self) -> dict[str, np.ndarray]:
        """Return what the specification says about each output, in float64."""
        if self.spec.reference is None:
            raise K2CError(f"{self.spec.name} is a helper without a reference.")
        wide = {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in self.arrays.items()}
        rounded = -(-self.global_size[0] // self.local[0]) * self.local[0]
        return self.spec.reference(**wide, **self.numbers, global_size=rounded, local=self.local[0])


def random_case(
    name: str, kind: str = "cpu", seed: int = 0, options: Mapping[str, int] | None = None, **numbers: Any
) -> Case:
    """Return random arguments of the sizes that a kernel's specification asks for; outputs hold NaN.

    Parameters
    ----------
    name
        The kernel.
    kind
        `cpu` or `gpu`, which decides its compile-time numbers.
    seed
        For the random numbers.
    options
        Its compile-time numbers, when they are not the defaults of that kind.
    numbers
        The kernel's own numbers, `n=1000`. Those with `float` in the specification are 1 when left out.

    Raises
    ------
    K2CError
        When there is no such kernel, or a number is missing.
    """
    spec = specification(name)
    given = {a.name: 1.0 for a in spec.arguments if a.way == "float"} | numbers
    missing = [a.name for a in spec.arguments if a.way == "int" and a.name not in given]
    if missing:
        raise K2CError(f"{name} also needs {', '.join(missing)}: random_case({name!r}, {missing[0]}=100).")
    values = spec.numbers(given, options or options_of(kind, spec.source))
    size = spec.global_size(values)
    values["groups"] = -(-size[0] // spec.local[0])
    generator = np.random.default_rng(seed)
    arrays = {}
    for argument in (a for a in spec.arguments if a.is_buffer):
        count = evaluate_formula(argument.size, values)
        drawn = generator.standard_normal(count).astype(argument.dtype)
        if argument.name == "place":  # one of two pixels that a filter may begin to read at
            drawn = (values.get("channels", 1) * generator.integers(2, size=count)).astype(argument.dtype)
        arrays[argument.name] = np.full(count, np.nan, np.float32) if argument.way == "out" else drawn
    own = {a.name: given[a.name] for a in spec.arguments if not a.is_buffer}
    return Case(spec, arrays, own, size, spec.local)


def first_difference(what: str, got: np.ndarray, expected: np.ndarray) -> str:
    """Return a sentence about the first wrong element, or an empty text.

    An element is wrong when it is off by more than `TOLERANCE` times the largest expected value.
    """
    got, expected = np.ravel(got), np.ravel(expected)
    if got.size != expected.size:
        return f"{what} has {got.size} elements, and has to have {expected.size}."
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    wrong = ~(np.abs(got - expected) <= TOLERANCE * scale)
    if not wrong.any():
        return ""
    at = int(wrong.argmax())
    shown = "was never written" if np.isnan(got[at]) else f"is {got[at]:.6g}"
    wrong_elements = f"{int(wrong.sum())} of {got.size} elements are wrong"
    return f"{what}[{at}] {shown}, and has to be {expected[at]:.6g}; {wrong_elements}."


def first_error(
    source: str,
    name: str,
    ops: KernelOps,
    local: Sequence[int] | None = None,
    options: Mapping[str, int] | None = None,
    **numbers: Any,
) -> str:
    """Try somebody's kernel on random arguments, every access checked, and say what is wrong first.

    Parameters
    ----------
    source
        The kernel's text. It has the name and the arguments of the kernel of `source/` that it stands for.
    name
        That kernel.
    ops
        A device that runs kernels.
    local
        The size of a work-group; the specification's when not given.
    options
        The compile-time numbers; the defaults when not given.
    numbers
        The kernel's numbers, `n=1000`; several odd and even sizes when not given.

    Returns
    -------
    str
        `right`, or a sentence: the compiler's complaint, the access that left an array, a race between the
        work-items of the first group (even when the result is right, by luck), or the first wrong element.
    """
    spec = specification(name)
    ints = [a.name for a in spec.arguments if a.way == "int"]
    tries = [numbers] if numbers else [dict.fromkeys(ints, size) for size in TRIES]
    try:
        kernel = ops.compile(source, name, dict(options or options_of(ops.kind, spec.source)))
        for chosen in tries:
            case = random_case(name, ops.kind, options=options, **chosen)
            complaint = _try(kernel, ops, case, local)
            if complaint:
                sizes = ", ".join(f"{key}={value}" for key, value in chosen.items())
                return f"With {sizes}: {complaint}"
    except K2CError as error:
        return str(error)
    return "right"


def _try(kernel: Any, ops: Ops, case: Case, local: Sequence[int] | None) -> str:
    arguments = case.put(ops)
    races = kernel.trace(case.global_size, *arguments, local=local or case.local, whole=False).races()
    if races:
        lines = kernel.source.splitlines()
        quoted = [f"\n  line {at} | {lines[at - 1].strip()}" for at in sorted(set(races[0].lines))]
        return f"{races[0]}{''.join(quoted)}"
    names = [argument.name for argument in case.spec.arguments]
    for name, expected in case.expected().items():
        complaint = first_difference(name, ops.get(arguments[names.index(name)]), expected)
        if complaint:
            return complaint
    return ""
