"""A stepper through what one work-group reads and writes, from barrier to barrier."""

import math
from typing import Any

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from k2c.display.style import COLOURS
from k2c.display.widgets.base import LectureWidget, front_end, packed
from k2c.kernels import Trace, source_of, specification
from k2c.kernels.build import options_of

KERNEL = "matmul_tiled"
TILES = (2, 4, 8, 16)
_STATES = ("not touched", "touched before", "read now", "written now")
_COLOURS = ("#F0F0F0", "#C4C4C4", COLOURS["blue"], COLOURS["red"])


def trace_tiles(ops: Any, tile: int, side: int = 16) -> Trace:
    """Return every access of the first work-group of a tiled product of two square matrices.

    Parameters
    ----------
    ops
        What `k2c.kernels.open` returned; a device that runs kernels.
    tile
        Rows and columns of a tile, and work-items of the group in both directions.
    side
        Rows and columns of the matrices.
    """
    file = specification(KERNEL).source
    kernel = ops.compile(
        source_of(file), KERNEL, options_of(getattr(ops, "kind", "cpu"), file) | {"TILE": tile}
    )
    a, b = np.random.default_rng(0).random((2, side, side), dtype=np.float32)
    c = ops.empty((side, side))
    trace: Trace = kernel.trace((side, side), ops.put(a), ops.put(b), c, side, side, side, local=(tile, tile))
    return trace


def touched(trace: Trace, array: str, shape: tuple[int, int], step: int) -> np.ndarray:
    """Return the state of each element in a step: 0 never touched, 1 before, 2 read now, 3 written now.

    A step is what lies between two barriers; the work-items of a group do it in any order.
    """
    state = np.zeros(math.prod(shape), int)
    when = np.zeros(len(trace.array), int) if trace.barriers is None else trace.barriers
    mine = trace.array == trace.arrays.index(array)
    state[trace.index[mine & (when < step)]] = 1
    state[trace.index[mine & (when == step) & ~trace.write]] = 2
    state[trace.index[mine & (when == step) & trace.write]] = 3
    return state.reshape(shape)


class GroupStepper(LectureWidget):
    """One work-group of a tiled matrix product, step by step: what it reads and writes between two barriers.

    Parameters
    ----------
    ops
        What `k2c.kernels.open` returned; a device that runs kernels.
    side
        Rows and columns of the matrices.
    """

    front = "group"
    _esm = front_end(front)

    def __init__(self, ops: Any, side: int = 16) -> None:
        tiles = [tile for tile in TILES if side % tile == 0]
        self.traces = {tile: trace_tiles(ops, tile, side) for tile in tiles}
        self.side = side
        data = {"side": side, "tiles": {str(tile): _accesses(trace) for tile, trace in self.traces.items()}}
        super().__init__(data, tile=tiles[len(tiles) // 2], step=1)

    def draw(self) -> tuple[Figure, str]:
        """Draw the arrays, each element in the colour of what happens to it."""
        tile = self.values["tile"]
        steps = int(_when(self.traces[tile]).max()) + 1
        step = min(self.values["step"], steps) - 1
        trace, small = self.traces[tile], (tile, tile)
        shapes = dict.fromkeys("abc", (self.side, self.side)) | {"tile_a": small, "tile_b": small}
        figure = Figure(figsize=(11.0, 4.3), layout="constrained")
        widths = [max(shape[1], 5) for shape in shapes.values()]
        for axes, (name, shape) in zip(
            figure.subplots(1, 5, width_ratios=widths), shapes.items(), strict=True
        ):
            axes.pcolormesh(
                touched(trace, name, shape, step), cmap=ListedColormap(_COLOURS), vmin=-0.5, vmax=3.5,
                edgecolors="white", linewidth=1,
            )  # fmt: skip
            axes.set(
                xticks=[],
                yticks=[],
                aspect="equal",
                xlabel="local\nmemory" if "_" in name else "global memory",
            )
            axes.invert_yaxis()
            axes.spines[:].set_visible(False)
            axes.set_title(name, loc="center")
        keys = [Patch(color=colour, label=label) for colour, label in zip(_COLOURS, _STATES, strict=True)]
        figure.legend(handles=keys, loc="outside lower center", ncols=4)
        figure.suptitle(f"A work-group of {tile} × {tile}, step {step + 1} of {steps}", x=0.01, ha="left")
        return figure, self._words(trace, step)

    def _words(self, trace: Trace, step: int) -> str:
        reads = _global_reads(trace)
        untiled = 2 * self.side * self.values["tile"] ** 2
        return (
            f"In this step the group reads {reads[step]:,} numbers from global memory, {sum(reads[: step + 1]):,} "
            f"so far. Over all steps it reads {sum(reads):,}; without tiles it would read {untiled:,}."
        )


def _when(trace: Trace) -> np.ndarray:
    """Return the step of each access: how many barriers came before it."""
    return np.zeros(len(trace.array), int) if trace.barriers is None else trace.barriers


def _global_reads(trace: Trace) -> list[int]:
    """Return how many numbers are read from global memory in each step."""
    read, when = ~np.array(trace.is_local)[trace.array] & ~trace.write, _when(trace)
    return [int((read & (when == step)).sum()) for step in range(int(when.max()) + 1)]


def _accesses(trace: Trace) -> dict[str, Any]:
    """Return which elements of which array are read and written in each step, each once."""
    when = _when(trace)
    groups = np.unique(np.stack([when, trace.array, trace.write.astype(int)]), axis=1).T
    accesses = []
    for step, array, write in groups.tolist():
        index = np.unique(trace.index[(when == step) & (trace.array == array) & (trace.write == write)])
        accesses.append(
            {
                "array": trace.arrays[array],
                "step": step,
                "write": bool(write),
                "index": packed(index, "uint16"),
            }
        )
    return {"steps": int(when.max()) + 1, "reads": _global_reads(trace), "accesses": accesses}
