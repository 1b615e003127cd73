"""A stepper through what one work-group reads and writes, from barrier to barrier."""

import math
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from k2c.display.style import COLOURS
from k2c.display.widgets.base import ImageWidget
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


class GroupStepper(ImageWidget):
    """One work-group of a tiled matrix product, step by step: what it reads and writes between two barriers.

    Parameters
    ----------
    ops
        What `k2c.kernels.open` returned; a device that runs kernels.
    side
        Rows and columns of the matrices.
    """

    def __init__(self, ops: Any, side: int = 16) -> None:
        tiles = [tile for tile in TILES if side % tile == 0]
        self.traces = {tile: trace_tiles(ops, tile, side) for tile in tiles}
        self.side = side
        self.tile = ipywidgets.SelectionSlider(
            options=tiles, value=tiles[len(tiles) // 2], description="Tile"
        )
        self.step = ipywidgets.IntSlider(1, 1, self._steps(), description="Step")
        super().__init__([self.tile, self.step])

    def draw(self) -> tuple[Figure, str]:
        """Draw the arrays, each element in the colour of what happens to it."""
        self.step.max = max(self.step.min, self._steps())
        tile, step = self.tile.value, self.step.value - 1
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
        figure.suptitle(
            f"A work-group of {tile} × {tile}, step {step + 1} of {self._steps()}", x=0.01, ha="left"
        )
        return figure, self._words(trace, step)

    def _steps(self) -> int:
        when = self.traces[self.tile.value].barriers
        return 1 if when is None else int(when.max()) + 1

    def _words(self, trace: Trace, step: int) -> str:
        when = np.zeros(len(trace.array), int) if trace.barriers is None else trace.barriers
        read = ~np.array(trace.is_local)[trace.array] & ~trace.write
        now, before = int((read & (when == step)).sum()), int((read & (when <= step)).sum())
        untiled = 2 * self.side * self.tile.value**2
        return (
            f"In this step the group reads {now:,} numbers from global memory, {before:,} so far. Over all steps it "
            f"reads {int(read.sum()):,}; without tiles it would read {untiled:,}."
        )
