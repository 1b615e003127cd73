"""What a work-group did to memory, access by access: counted, and searched for races."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Race:
    """Two accesses to one element by two work-items of a group, with no barrier between; one at least writes.

    Attributes
    ----------
    array, index
        The element.
    work_items
        Both, by their numbers in the group; the first one writes.
    writes
        Whether each writes (and does not only read).
    lines
        The line of each access in the source, from 1.
    barriers
        How many barriers both had passed.
    """

    array: str
    index: int
    work_items: tuple[int, int]
    writes: tuple[bool, bool]
    lines: tuple[int, int]
    barriers: int

    def __repr__(self) -> str:
        element = f"{self.array}[{self.index}]"
        does = "writes it too" if self.writes[1] else "reads it"
        return (
            f"Race: work-item {self.work_items[0]} writes {element} (line {self.lines[0]}), work-item "
            f"{self.work_items[1]} {does} (line {self.lines[1]}), and no barrier stands between. Who comes first "
            "decides the result."
        )


@dataclass(frozen=True)
class Trace:
    """Every access to global and local memory of one work-group.

    Attributes
    ----------
    arrays
        Names of the arrays; `is_local` says of each whether it lies in local memory.
    array, write, index, work_item
        One entry an access of one element, in no particular order: the array's number, whether it was
        written, which element, and the work-item (its number in the group).
    line, barriers
        The line of each access in the source, from 1, and how many barriers its work-item had passed before.
    """

    arrays: tuple[str, ...]
    is_local: tuple[bool, ...]
    array: np.ndarray
    write: np.ndarray
    index: np.ndarray
    work_item: np.ndarray
    line: np.ndarray
    barriers: np.ndarray

    def counts(self) -> dict[str, dict[str, int]]:
        """Return for each array the number of `reads` and `writes`, and of different `elements` touched."""
        table = {}
        for slot, name in enumerate(self.arrays):
            mine = self.array == slot
            writes = int((mine & self.write).sum())
            elements = len(np.unique(self.index[mine]))
            table[name] = {"reads": int(mine.sum()) - writes, "writes": writes, "elements": elements}
        return table

    def totals(self) -> dict[str, int]:
        """Return `global_reads`, `global_writes`, `local_reads` and `local_writes`."""
        local = np.array(self.is_local, bool)[self.array] if len(self.array) else np.zeros(0, bool)
        pairs = {"global": ~local, "local": local}
        return {
            f"{space}_{way}": int((where & (self.write == (way == "writes"))).sum())
            for space, where in pairs.items()
            for way in ("reads", "writes")
        }

    def races(self) -> tuple[Race, ...]:
        """Return the races within the group, the earliest first; one for each array and pair of lines.

        Between two barriers, work-items may run in any order. So it is a race when two of them touch an element
        there and one writes it, even if the result came out right this time. Other groups are not looked at.
        """
        lines, barriers = self.line, self.barriers
        # An access races with a write of the same element between the same barriers, by another work-item.
        places = np.stack([barriers, self.array, self.index])
        place = np.unique(places, axis=1, return_inverse=True)[1].reshape(-1)
        pairs = [(np.zeros(0, np.int64),) * 2]
        for line in np.unique(lines[self.write]):
            for write in self._two_writers(place, self.write & (lines == line)):
                racing = (write >= 0) & (self.work_item[write] != self.work_item)
                pairs.append((write[racing], np.flatnonzero(racing)))
        first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
        by = (self.work_item[second], self.work_item[first], ~self.write[second])
        order = np.lexsort((*by, self.index[first], self.array[first], barriers[first]))
        first, second = first[order], second[order]
        kinds = np.stack([self.array[first], *np.sort([lines[first], lines[second]], axis=0)], axis=1)
        earliest = np.sort(np.unique(kinds, axis=0, return_index=True)[1])
        return tuple(
            Race(
                self.arrays[self.array[a]],
                int(self.index[a]),
                (int(self.work_item[a]), int(self.work_item[b])),
                (True, bool(self.write[b])),
                (int(lines[a]), int(lines[b])),
                int(barriers[a]),
            )
            for a, b in zip(first[earliest], second[earliest], strict=True)
        )

    def _two_writers(
        self, place: NDArray[np.int64], written: NDArray[np.bool_]
    ) -> Iterator[NDArray[np.int64]]:
        """Yield for each access the first of some writes at its place, then the first by another work-item; or -1."""
        writes = np.flatnonzero(written)
        writes = writes[np.argsort(self.work_item[writes], kind="stable")]
        for _ in range(2):
            places, at = np.unique(place[writes], return_index=True)
            first = np.full(place.max(initial=-1) + 1, -1)
            first[places] = writes[at]
            yield first[place]
            writes = writes[self.work_item[writes] != self.work_item[first[place[writes]]]]
