"""What a warp's accesses cost in a GPU's memory, counted from a trace: no GPU is needed.

The rules are those of NVIDIA's *CUDA C++ Programming Guide* and *Best Practices Guide*: 32 work-items of consecutive
numbers are a warp and access memory together, in one request. Global memory moves whole sectors of 32 bytes. Local
memory has 32 banks of 4 bytes, and serves one word of each bank at a time; work-items that read the same word share
it. Caches, registers and instructions other than accesses are not in the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from k2c.errors import K2CError
from k2c.kernels.trace import Trace

WARP = 32  # work-items
SECTOR = 32  # bytes
BANKS = 32
WORD = 4  # bytes of an element, and of a bank
# What a multiprocessor of compute capability 9.0 holds (CUDA C++ Programming Guide, technical specifications); of its
# local memory, the system takes some bytes for each group.
MOST_WARPS, MOST_GROUPS, LOCAL_MEMORY, RESERVED = 64, 32, 228 * 1024, 1024


@dataclass(frozen=True)
class Accesses:
    """The accesses to one array in one line of a kernel.

    Attributes
    ----------
    line
        The line of the source, from 1.
    array, is_local, write
        What is accessed, and how.
    requests
        How often a warp accesses it.
    transactions
        For global memory the sectors moved; for local memory the passes: how often the banks serve.
    used
        Bytes that the requests ask for, each once per request.
    moved
        Bytes that the transactions move.
    conflicts
        Passes of local memory beyond the first of each request.
    divergent
        Requests in which only a part of the warp takes part: a branch was taken differently inside it.
    """

    line: int
    array: str
    is_local: bool
    write: bool
    requests: int
    transactions: int
    used: int
    moved: int
    conflicts: int
    divergent: int

    @property
    def per_request(self) -> float:
        """Transactions for each request. The least is 1 in local memory, 4 in global (32 neighbouring elements)."""
        return self.transactions / self.requests

    @property
    def efficiency(self) -> float:
        """Bytes used over bytes moved, from 0 to 1."""
        return self.used / self.moved

    def __str__(self) -> str:
        what = f"{'writes' if self.write else 'reads'} {self.array}"
        cost = "passes" if self.is_local else f"sectors per request, {self.efficiency:.0%} used"
        text = f"{what}: {self.per_request:.3g} {cost}"
        if self.conflicts:
            text += f", {self.conflicts} bank conflicts"
        return text + (f", {self.divergent} of {self.requests} requests divergent" if self.divergent else "")


@dataclass(frozen=True)
class MemoryReport:
    """What one work-group's accesses cost on a GPU.

    Attributes
    ----------
    lines
        One entry for each line, array and way (read or write), in the order of the source.
    work_items
        The size of the work-group.
    local_bytes
        The local memory that it takes.
    source
        The kernel's text.
    """

    lines: tuple[Accesses, ...]
    work_items: int
    local_bytes: int
    source: str = ""

    @property
    def sectors(self) -> int:
        """Sectors of global memory moved."""
        return sum(a.transactions for a in self.lines if not a.is_local)

    @property
    def requests(self) -> int:
        """Requests to global memory."""
        return sum(a.requests for a in self.lines if not a.is_local)

    @property
    def efficiency(self) -> float:
        """Bytes of global memory used over those moved; 1 when there are none."""
        moved = sum(a.moved for a in self.lines if not a.is_local)
        return sum(a.used for a in self.lines if not a.is_local) / moved if moved else 1.0

    @property
    def conflicts(self) -> int:
        """Bank conflicts in local memory: passes beyond the first of each request."""
        return sum(a.conflicts for a in self.lines)

    @property
    def divergent(self) -> int:
        """Requests in which only a part of a warp takes part."""
        return sum(a.divergent for a in self.lines)

    @property
    def occupancy(self) -> float:
        """See `occupancy`."""
        return occupancy(self.work_items, self.local_bytes)

    def explain(self) -> str:
        """Return the source with each line's accesses below it."""
        out = []
        for number, text in enumerate(self.source.splitlines(), start=1):
            out.append(f"{number:3} | {text}")
            out += [f"    ^ {accesses}" for accesses in self.lines if accesses.line == number]
        return "\n".join(out)

    def __repr__(self) -> str:
        return (
            f"{self.sectors} sectors in {self.requests} requests, {self.efficiency:.0%} of the bytes used; "
            f"{self.conflicts} bank conflicts; {self.divergent} divergent requests; occupancy {self.occupancy:.0%}"
        )


def memory_report(trace: Trace, work_items: int, local_bytes: int = 0, source: str = "") -> MemoryReport:
    """Count what one work-group's accesses cost on a GPU.

    `StudentKernel.memory_report` and `Attempt.memory_report` trace a kernel and call this.

    Parameters
    ----------
    trace
        Every access of the group, each work-item's in its order. Elements have 4 bytes; each array begins
        at the beginning of a sector.
    work_items
        The size of the group, numbered along axis 0 first.
    local_bytes
        The local memory of the group.
    source
        The kernel's text, for `explain`.

    Raises
    ------
    K2CError
        When the trace has a work-item that the group has not.
    """
    if work_items <= int(trace.work_item.max(initial=0)):
        raise K2CError(
            f"The trace has work-item {int(trace.work_item.max())}, and the group {work_items} work-items. "
            "Give the size of the group that was traced."
        )
    lines = tuple(_lines(trace, work_items)) if len(trace.array) else ()
    return MemoryReport(lines, work_items, local_bytes, source)


def occupancy(work_items: int, local_bytes: int = 0) -> float:
    """Return the fraction of a multiprocessor's warps that run at once, as far as group size and local memory decide.

    Registers can lower it further; the text of a kernel does not say how many it takes.

    Parameters
    ----------
    work_items, local_bytes
        Of one work-group.

    Raises
    ------
    K2CError
        When one group does not fit.
    """
    warps = -(-work_items // WARP)
    groups = min(MOST_GROUPS, MOST_WARPS // warps, LOCAL_MEMORY // (local_bytes + RESERVED))
    if work_items > 1024 or groups < 1:
        raise K2CError(
            f"A group of {work_items} work-items with {local_bytes} bytes of local memory does not fit: at most 1024 "
            f"work-items and {LOCAL_MEMORY - RESERVED} bytes. Choose a smaller group or tile."
        )
    return groups * warps / MOST_WARPS


def _lines(trace: Trace, work_items: int) -> Iterator[Accesses]:
    order, request = _requests(trace)
    kinds = np.stack([trace.line, trace.array, trace.write])[:, order]
    item, index = trace.work_item[order], trace.index[order]
    size = np.minimum(WARP, work_items - item // WARP * WARP)  # the last warp may be smaller
    local = np.array(trace.is_local)[kinds[1]]
    for line, array, write in np.unique(kinds, axis=1).T:
        mine = (kinds == np.array([[line], [array], [write]])).all(axis=0)
        ids, at = np.unique(request[mine], return_inverse=True)
        words = np.unique(np.stack([at, index[mine]]), axis=1)
        if local[mine][0]:
            passes = np.zeros((len(ids), BANKS), int)
            np.add.at(passes, (words[0], words[1] % BANKS), 1)
            transactions = int(passes.max(axis=1).sum())
        else:
            sectors = np.stack([words[0], words[1] * WORD // SECTOR])
            transactions = np.unique(sectors, axis=1).shape[1]
        width = BANKS * WORD if local[mine][0] else SECTOR
        partial = np.bincount(at) < size[mine][np.unique(at, return_index=True)[1]]
        yield Accesses(
            int(line),
            trace.arrays[array],
            bool(local[mine][0]),
            bool(write),
            requests=len(ids),
            transactions=transactions,
            used=WORD * words.shape[1],
            moved=width * transactions,
            conflicts=transactions - len(ids) if local[mine][0] else 0,
            divergent=int(partial.sum()),
        )


def _requests(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return an order of the accesses, and the number of the request of each in that order.

    A work-item's first access in a line, to an array and in a way, since its last barrier belongs with the other
    work-items' first, its second with their second, and so on.
    """
    keys = np.stack([trace.array, trace.write, trace.line, trace.barriers, trace.work_item])
    order = np.lexsort(keys)  # stable: a work-item's accesses of a kind stay in their order
    keys = keys[:, order]
    new = np.ones(len(order), bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    at = np.arange(len(order))
    occurrence = at - np.maximum.accumulate(np.where(new, at, 0))
    keys[-1] //= WARP
    return order, np.unique(np.vstack([keys, occurrence]), axis=1, return_inverse=True)[1].ravel()
