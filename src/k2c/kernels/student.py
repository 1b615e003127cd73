"""Kernels that somebody writes: compiled with a check of every index, run, counted, compared."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from k2c.errors import K2CError
from k2c.kernels.buffers import Buffer, require
from k2c.kernels.build_log import warn_author
from k2c.kernels.instrument import BOTH, ENTRY, HEAD, HELPER, SIZES, WRITE, KernelParameter, instrument
from k2c.kernels.kernel_device import KernelDevice
from k2c.kernels.launch import INT_MAX, axes_of
from k2c.kernels.memory import WORD, MemoryReport, memory_report
from k2c.kernels.specification import evaluate_formula
from k2c.kernels.trace import Trace

MOST_ENTRIES = 1_000_000


class StudentKernel:
    """A kernel from source text whose every array access is checked.

    Parameters
    ----------
    ops
        A device that runs kernels.
    source
        Kernel text in the words of the prelude (KERNEL, GLOBAL, GLOBAL_ID(0) ...).
    name
        Which kernel, when the source has several.
    options
        Compile-time numbers, `{"TILE": 16}`.

    Attributes
    ----------
    warnings
        What the compiler warns of, each with its line; shown as a `KernelWarning` too.

    Raises
    ------
    K2CError
        When it does not compile, with the lines, or uses an array in a way that cannot be checked.
    """

    def __init__(
        self, ops: KernelDevice, source: str, name: str = "", options: dict[str, int] | None = None
    ) -> None:
        made = instrument(source, name)
        self.ops, self.source, self.name = ops, source, made.name
        self.parameters, self._arrays = made.parameters, made.arrays
        self._local_sizes, self._options = made.local_sizes, options or {}
        # Complaints and warnings are about what was written, not about what we made of it.
        self._unchecked = ops.build(source, made.name, self._options, made.name)
        self.warnings: tuple[str, ...] = ()
        for message in reversed(ops.build_log):
            if message.source == source:
                self.warnings = message.warnings
                warn_author(message)
                break
        self._kernel = ops.build(made.text, made.name, self._options, f"{made.name}, with checks", HELPER)

    def run(
        self,
        global_size: int | Sequence[int],
        *args: Any,
        local: int | Sequence[int] = 64,
        checks: bool = True,
    ) -> None:
        """Launch it, rounded up to whole work-groups.

        With `checks` false, the text runs as it was written, at full speed: to be timed once it is right.

        Raises
        ------
        K2CError
            When arguments do not fit the parameters, or a work-item left an array: which one, where.
        """
        if checks:
            self._complain(self._launch(global_size, args, local, None))
            return
        rounded, steps = _whole_groups(global_size, local)
        if 0 not in rounded:
            self.ops.enqueue(self._unchecked, rounded, steps, self._checked(args))

    def trace(
        self,
        global_size: int | Sequence[int],
        *args: Any,
        local: int | Sequence[int] = 64,
        group: int | Sequence[int] = 0,
        whole: bool = True,
    ) -> Trace:
        """Launch it and return what one work-group read and wrote.

        Raises
        ------
        K2CError
            As `run`; and when there are too many accesses to keep, unless `whole` is False.
        """
        chosen = ([group] if isinstance(group, int) else [*group]) + [0, 0]
        log = self._launch(global_size, args, local, chosen[:3])
        self._complain(log)
        if log[12] > MOST_ENTRIES and whole:
            raise K2CError(
                f"The group made {log[12]} accesses; at most {MOST_ENTRIES} are kept. Choose smaller sizes."
            )
        return self._trace(log[HEAD : HEAD + ENTRY * log[12]].reshape(-1, ENTRY))

    def memory_report(
        self,
        global_size: int | Sequence[int],
        *args: Any,
        local: int | Sequence[int] = 64,
        group: int | Sequence[int] = 0,
    ) -> MemoryReport:
        """Launch it and return what one work-group's accesses would cost in a GPU's memory.

        Raises
        ------
        K2CError
            As `trace`; and when the size of an array in local memory is no formula of the options.
        """
        trace = self.trace(global_size, *args, local=local, group=group)
        elements = [
            prod(evaluate_formula(f, self._options) for f in sizes) for sizes in self._local_sizes.values()
        ]
        return memory_report(trace, prod(axes_of(local)), WORD * sum(elements), self.source)

    def _trace(self, entries: np.ndarray) -> Trace:
        ways = entries[:, 0] % 4
        reads, writes = entries[ways != WRITE], entries[(ways == WRITE) | (ways == BOTH)]
        entries = np.concatenate([reads, writes])
        counts = entries[:, 2]
        each = np.repeat(entries, counts, axis=0)  # a vector of 16 counts as 16 accesses
        within = np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts)
        write = np.arange(len(each)) >= reads[:, 2].sum()
        pointers = sum(parameter.pointer for parameter in self.parameters)
        is_local = tuple(slot >= pointers for slot in range(len(self._arrays)))
        slots, _, _, items, lines, barriers = each.T
        return Trace(self._arrays, is_local, slots // 4, write, each[:, 1] + within, items, lines, barriers)

    def _launch(
        self,
        global_size: int | Sequence[int],
        args: Sequence[Any],
        local: int | Sequence[int],
        group: list[int] | None,
    ) -> np.ndarray:
        rounded, steps = _whole_groups(global_size, local)
        checked = self._checked(args)
        log = np.zeros(HEAD + (ENTRY * MOST_ENTRIES if group else 0), np.int32)
        lengths = [value.size for value in checked if isinstance(value, Buffer)]
        log[SIZES : SIZES + len(lengths)] = lengths
        if group:
            log[8:12] = [*group, MOST_ENTRIES]
        if 0 in rounded:
            return log
        buffer = self.ops.put(log)
        self.ops.enqueue(self._kernel, rounded, steps, [*checked, buffer])
        return self.ops.get(buffer)

    def _checked(self, args: Sequence[Any]) -> list[Any]:
        if len(args) != len(self.parameters):
            names = ", ".join(parameter.name for parameter in self.parameters)
            raise K2CError(
                f"{self.name} takes {len(self.parameters)} arguments ({names}), and got {len(args)}."
            )
        return [
            self._argument(parameter, value) for parameter, value in zip(self.parameters, args, strict=True)
        ]

    def _argument(self, parameter: KernelParameter, value: Any) -> Any:
        where = f"{parameter.name} of {self.name}"
        if parameter.pointer:
            return require(where, value, self.ops, dtype=parameter.dtype)
        if not isinstance(value, int | float | np.number) or (
            parameter.dtype == "int32" and (int(value) != value or abs(int(value)) > INT_MAX)
        ):
            raise K2CError(f"{where} is a number ({parameter.dtype}), and got {value!r}.")
        return np.int32(value) if parameter.dtype == "int32" else np.float32(value)

    def _complain(self, log: np.ndarray) -> None:
        if not log[0]:
            return
        array, line = self._arrays[log[1]], int(log[3])
        did = "writes" if log[2] == WRITE else "reads"
        shown = self.source.splitlines()[line - 1].strip()
        size = (
            f"has {log[SIZES + log[1]]} elements" if log[1] < SIZES and log[SIZES + log[1]] else "is smaller"
        )
        raise K2CError(
            f"{self.name} leaves its memory: work-item ({log[5]}, {log[6]}, {log[7]}) {did} {array}[{log[4]}], and "
            f"{array} {size}; {log[0]} such accesses.\n  line {line} | {shown}\nCompare the guard with the sizes."
        )


def _whole_groups(
    global_size: int | Sequence[int], local: int | Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the size of a launch, rounded up to whole groups, and the size of a group, along the same axes."""
    sizes, steps = axes_of(global_size), axes_of(local)
    if len(sizes) != len(steps) and len(steps) == 1:
        steps = (*steps, *[1] * (len(sizes) - 1))
    if len(sizes) != len(steps) or len(sizes) > 3 or min(steps, default=0) < 1:
        raise K2CError(f"global_size={sizes} and local={steps} need the same one to three axes.")
    return tuple(-(-size // step) * step for size, step in zip(sizes, steps, strict=True)), steps
