"""Images of images: digits, numbers under them, convolutions by hand, filters, feature maps, errors."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from k2c.display.style import COLOURS, show_compact

INK = "gray_r"  # 0 is paper, the largest value is ink
SIGNED = "RdBu_r"  # blue is negative, white is 0, red is positive
_DARK, _LIGHT = "#222222", "white"


def show_digits(
    images: Any,
    captions: Sequence[Any] | None = None,
    *,
    title: str,
    columns: int = 10,
    rows: Sequence[str] | None = None,
) -> None:
    """Draw images side by side, each with a caption.

    Parameters
    ----------
    images
        (N, height, width), 0 to 255.
    captions
        One an image, shown above it.
    columns
        Images in a row.
    rows
        A name for each row, shown at its left.
    """
    _show_panels(_array(images), captions, title, columns, cmap=INK, limits=(0, 255), names=rows)


def show_maps(
    maps: Any,
    captions: Sequence[Any] | None = None,
    *,
    title: str,
    columns: int = 10,
    signed: bool = True,
) -> None:
    """Draw filters, templates or feature maps on one scale of colours.

    Parameters
    ----------
    maps
        (N, height, width), any numbers.
    captions
        One a map, shown above it.
    columns
        Maps in a row.
    signed
        Whether negative values matter: blue below 0, white at 0, red above. Otherwise white is 0 and black most.
    """
    values = _array(maps)
    most = float(np.abs(values).max()) or 1.0  # all zero: any scale shows that
    limits = (-most, most) if signed else (0.0, most)
    _show_panels(values, captions, title, columns, cmap=SIGNED if signed else INK, limits=limits, scale=True)


def show_numbers(image: Any, top: int, left: int, size: int = 10, *, title: str) -> None:
    """Draw an image, and beside it the numbers in a square part of it.

    Parameters
    ----------
    image
        (height, width), 0 to 255.
    top, left, size
        Where the part starts, and its side in pixels.
    """
    pixels = _array(image)
    figure, (whole, part) = plt.subplots(1, 2, figsize=(11.0, 5.2), width_ratios=(1, 1.06))
    _draw(whole, pixels, INK, (0, 255))
    whole.add_patch(
        Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=COLOURS["red"], linewidth=3)
    )
    rows, columns = slice(top, top + size), slice(left, left + size)
    _draw(part, pixels[rows, columns], INK, (0, 255), place=(left, top))
    _write(part, pixels[rows, columns], "{:.0f}", dark=128)
    part.spines[:].set(visible=True, edgecolor=COLOURS["red"], linewidth=3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def show_products(patch: Any, kernel: Any, *, title: str) -> None:
    """Draw one step of a convolution: a patch of the image, the kernel, their products and the sum.

    Parameters
    ----------
    patch, kernel
        Two arrays of the same shape, (side, side).
    """
    patch, kernel = _array(patch), _array(kernel)
    products = patch * kernel
    panels = {"patch of the digit": patch, "× kernel": kernel, "= products": products}
    figure, axes = plt.subplots(1, 3, figsize=(12.0, 5.3))
    for panel, (name, values) in zip(axes, panels.items(), strict=True):
        most = float(np.abs(values).max()) or 1.0
        _draw(panel, values, SIGNED, (-most, most))
        _write(panel, values, "{:.2f}", dark=0.6 * most)
        panel.set_title(name)
    axes[2].set_xlabel(f"column\ntheir sum: {products.sum():.2f}", fontsize=13)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def show_stages(stages: Mapping[str, Any], *, title: str) -> None:
    """Draw what becomes of an image, stage by stage, each with its size; one pixel is one size in all of them.

    Parameters
    ----------
    stages
        (height, width) arrays by name. Blue is negative, white is 0, red is positive. Each has its own scale: the
        largest value, the strongest colour, stands under its name.
    """
    images = {name: _array(values) for name, values in stages.items()}
    widths = [max(values.shape[1], 12) for values in images.values()]
    tallest = max(len(values) for values in images.values())
    inches = min(11.0 / sum(widths), 3.2 / tallest)  # of a pixel
    size = (inches * sum(widths) + 0.35 * len(images) + 0.5, inches * tallest + 1.8)
    figure, axes = plt.subplots(1, len(images), figsize=size, width_ratios=widths, squeeze=False)
    for panel, width, (name, values) in zip(axes[0], widths, images.items(), strict=True):
        most = float(np.abs(values).max()) or 1.0
        _draw(panel, values, SIGNED, (-most, most))
        panel.set_title(f"{name}\n{values.shape[0]} × {values.shape[1]}\n±{most:.2g}", fontsize=13)
        panel.set_ylabel("row" if panel is axes[0, 0] else "")
        spare = (width - values.shape[1]) / 2  # a narrow image keeps its size under a wide name
        panel.set(xlim=(-0.5 - spare, values.shape[1] - 0.5 + spare), anchor="N")
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def show_hog(image: Any, magnitude: Any, histograms: Any, *, title: str) -> None:
    """Draw an image, its gradients, and a star for each cell: the stronger an edge direction, the longer its line.

    Parameters
    ----------
    image
        (height, width), 0 to 255.
    magnitude
        (height, width): how steep the brightness is at each pixel.
    histograms
        (orientations, cells down, cells across): gradient in each direction, from 0 to 180 degrees.
    """
    histograms = _array(histograms)
    orientations, rows, columns = histograms.shape
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.9))
    _draw(axes[0], _array(image), INK, (0, 255))
    _draw(axes[1], _array(magnitude), INK, (0, float(_array(magnitude).max()) or 1.0))
    # An edge runs at right angles to its gradient; rows count downwards, as the gradient's direction does.
    angles = np.deg2rad((np.arange(orientations) + 0.5) * 180 / orientations + 90)
    strength = histograms / (histograms.max() or 1.0)
    for (k, row, column), length in np.ndenumerate(strength):
        dx, dy = 0.48 * length * np.cos(angles[k]), 0.48 * length * np.sin(angles[k])
        axes[2].plot([column - dx, column + dx], [row - dy, row + dy], color=_DARK, linewidth=1.6)
    axes[2].set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    axes[2].set(xlabel="cell across", ylabel="cell down", xticks=range(columns), yticks=range(rows))
    axes[2].set_axisbelow(True)
    axes[2].grid(visible=False)
    axes[2].spines[:].set_visible(True)
    for panel, name in zip(axes, ("the digit", "how steep", "in which direction, cell by cell"), strict=True):
        panel.set_title(name, fontsize=13)
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    plt.show()


def _show_panels(
    images: np.ndarray,
    captions: Sequence[Any] | None,
    title: str,
    columns: int,
    *,
    cmap: str,
    limits: tuple[float, float],
    scale: bool = False,
    names: Sequence[str] | None = None,
) -> None:
    """Draw images in rows. All of them are in one pair of axes: fifty pairs would take seconds."""
    height, width = images.shape[1:]
    columns = max(min(columns, len(images)), 1)
    rows = -(-len(images) // columns)
    texts = [str(text) for text in captions] if captions is not None else []
    inches = 11.0 / max(columns, 6)  # from one image to the next
    across = 1.1 * width
    an_inch = across / inches
    above = 0.23 * max((text.count("\n") + 1 for text in texts), default=0) * an_inch
    down = height + 0.1 * width + above
    size = (columns * inches + (1.3 if scale else 0.6), rows * down / an_inch + 1.0)
    _, axes = plt.subplots(figsize=size)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        place = column * across, row * down
        _draw(axes, image, cmap, limits, place)
        if texts:
            middle, top = place[0] + (width - 1) / 2, place[1] - 0.5 - 0.05 * an_inch
            axes.text(middle, top, texts[number], ha="center", va="bottom", fontsize=12)
    axes.set(xlim=(-1, columns * across - 0.1 * width), ylim=((rows - 1) * down + height, -1 - above))
    _label_corner(axes, width, height, (rows - 1) * down)
    if names is not None:
        axes.set_yticks([row * down + height / 2 for row in range(rows)], names, fontsize=13)
        axes.tick_params(axis="y", length=0)
        axes.set_ylabel("")
    axes.set_title(title)
    if scale:
        axes.figure.colorbar(axes.images[0], ax=axes, fraction=0.025, pad=0.015, aspect=30)
    show_compact()


def _label_corner(axes: Any, width: int, height: int, top: float) -> None:
    """Say what the axes are at the last row's first image; labels everywhere would hide the images."""
    axes.set_xticks([0, width - 1], ["0", str(width - 1)])
    axes.set_yticks([top, top + height - 1], ["0", str(height - 1)])
    axes.set_xlabel("column", loc="left", fontsize=12)
    axes.set_ylabel("row", loc="bottom", fontsize=12)
    axes.spines[:].set_visible(False)


def _draw(
    axes: Any,
    image: np.ndarray,
    cmap: str,
    limits: tuple[float, float],
    place: tuple[float, float] = (0, 0),
) -> None:
    """Draw an image in a frame, its first pixel at `place` (across, down)."""
    height, width = image.shape
    left, top = place
    extent = (left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5)
    axes.imshow(image, cmap=cmap, vmin=limits[0], vmax=limits[1], extent=extent)
    axes.add_patch(
        Rectangle(
            (left - 0.5, top - 0.5), width, height, fill=False, edgecolor=COLOURS["grey"], clip_on=False
        )
    )
    axes.set(xlabel="column", ylabel="row", xticks=[left, left + width - 1], yticks=[top, top + height - 1])
    axes.tick_params(labelsize=12, length=2)
    axes.xaxis.label.set_size(12)
    axes.yaxis.label.set_size(12)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _write(axes: Any, values: np.ndarray, pattern: str, dark: float) -> None:
    left, _, bottom, _ = axes.images[0].get_extent()
    top = bottom - values.shape[0]
    size = 110 / values.shape[1] if values.shape[1] > 9 else 12.5
    for (row, column), value in np.ndenumerate(values):
        colour = _LIGHT if abs(value) > dark else _DARK
        place = (left + 0.5 + column, top + 0.5 + row)
        text = pattern.format(round(value, 2) + 0.0)  # adding 0 turns -0.00 into 0.00
        axes.text(*place, text, ha="center", va="center", color=colour, fontsize=size)


def _array(values: Any) -> np.ndarray:
    """Return a plain array, whatever device or dtype the values have."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values, dtype=float)
