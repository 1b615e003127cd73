"""A pad to draw a digit on, and what a network makes of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import anywidget
import ipywidgets
import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import nn

from k2c.datasets import to_inputs
from k2c.display.images import INK, SIGNED
from k2c.display.style import COLOURS
from k2c.display.widgets.base import ImageWidget, shows_errors

Stroke = Sequence[Sequence[float]]

SIDE, INNER = 28, 20  # pixels of the image, and of the box that the digit fills
PEN = 2.4  # pixels: how thick the digits of MNIST are
_FINE = 8  # drawn so many times finer, then averaged: soft edges

# A hand's three, at the start: two bows, drawn from the top.
THREE: tuple[tuple[tuple[float, float], ...], ...] = (
    (
        (0.30, 0.24), (0.40, 0.16), (0.54, 0.14), (0.66, 0.20), (0.69, 0.31), (0.62, 0.42), (0.46, 0.48),
        (0.60, 0.50), (0.71, 0.58), (0.73, 0.71), (0.64, 0.82), (0.49, 0.86), (0.35, 0.83), (0.27, 0.75),
    ),
)  # fmt: skip


def rasterise(strokes: Sequence[Stroke]) -> np.ndarray:
    """Draw strokes as MNIST has its digits: fitted into 20 x 20 pixels, the centre of mass in the middle of 28 x 28.

    Parameters
    ----------
    strokes
        Each a list of points (x, y, and more that is ignored), x to the right and y down, on any scale.

    Returns
    -------
    numpy.ndarray
        uint8 (28, 28): 0 is paper, 255 is ink. Empty paper where there are no points.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition (1998), section III.A.
    """
    lines = [np.asarray(stroke, dtype=float)[:, :2] for stroke in strokes if len(stroke)]
    if not lines:
        return np.zeros((SIDE, SIDE), np.uint8)
    points = np.concatenate(lines)
    low, high = points.min(axis=0), points.max(axis=0)
    # A dot has no size, and stays a dot.
    scale = (INNER - PEN) / max(float((high - low).max()), 1e-6) if (high > low).any() else 0.0
    fitted = [(line - (low + high) / 2) * scale + SIDE / 2 for line in lines]
    off_centre = _centre_of_mass(_draw(fitted)) - SIDE / 2
    fine = _draw([line - off_centre for line in fitted])
    return fine.reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3)).round().astype(np.uint8)


def _draw(lines: Sequence[np.ndarray]) -> np.ndarray:
    image = Image.new("L", (SIDE * _FINE, SIDE * _FINE))
    pen, radius = ImageDraw.Draw(image), PEN * _FINE / 2
    for line in lines:
        corners = [(float(x), float(y)) for x, y in line * _FINE]
        if len(corners) > 1:
            pen.line(corners, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (corners[0], corners[-1]):  # a round pen
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image)


def _centre_of_mass(fine: np.ndarray) -> np.ndarray:
    """Return x and y in pixels of the final image."""
    ink = fine.astype(float)
    places = (np.arange(len(fine)) + 0.5) / _FINE
    return np.array([ink.sum(axis=0) @ places, ink.sum(axis=1) @ places]) / ink.sum()


class Reading(NamedTuple):
    """What a network makes of an image.

    Attributes
    ----------
    image
        uint8 (28, 28): what it sees, 0 is paper and 255 is ink.
    probabilities
        float (10,), of the digits.
    maps
        float (maps, height, width) for each convolution, after the layer that follows it.
    """

    image: np.ndarray
    probabilities: np.ndarray
    maps: list[np.ndarray]


def read_digit(strokes: Sequence[Stroke], network: nn.Sequential) -> Reading:
    """Prepare strokes as MNIST's digits were, and let a network read them.

    Parameters
    ----------
    strokes
        See `k2c.display.widgets.digits.rasterise`.
    network
        Layer by layer, such as `LeNet`: float32 (1, 1, 28, 28) to the logits of ten digits.
    """
    image, maps = rasterise(strokes), []
    weights = next(network.parameters())
    values = to_inputs(torch.from_numpy(image)[None]).to(weights.device)
    layers, was_training = list(network), network.training
    network.eval()
    with torch.inference_mode():
        for before, layer in zip([None, *layers], layers, strict=False):
            values = layer(values)
            if isinstance(before, nn.Conv2d):
                maps.append(values[0].cpu().numpy())
    network.train(was_training)
    return Reading(image, values[0].softmax(dim=0).cpu().numpy(), maps)


class _Paper(anywidget.AnyWidget):
    """The paper itself: it sends the strokes as they are drawn."""

    _esm = Path(__file__).with_name("digit_pad.js")
    strokes: Any = traitlets.List().tag(sync=True)
    answered = traitlets.Int().tag(sync=True)


class DigitPad(ImageWidget):
    """A pad to draw a digit on; a network's answer, what it sees and its feature maps, while one draws.

    Parameters
    ----------
    network
        See `read_digit`.
    strokes
        What stands on the paper at the start; a three where it is left out.
    """

    def __init__(self, network: nn.Sequential, strokes: Sequence[Stroke] = THREE) -> None:
        self.network = network
        self.paper = _Paper(strokes=[[list(point) for point in stroke] for stroke in strokes])
        clear = ipywidgets.Button(description="Clear", icon="eraser", tooltip="Take a new sheet of paper")
        clear.on_click(self._clear)
        self.paper.observe(self._changed, names="strokes")
        super().__init__([self.paper, clear])

    def draw(self) -> tuple[Figure, str]:
        """Draw what the network sees, its answer and its feature maps."""
        reading = read_digit(self.paper.strokes, self.network)
        figure = Figure(figsize=(10.5, 5.6), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(1.0, 1.1))  # type: ignore[misc]
        seen, bars = above.subplots(1, 2, width_ratios=(1, 2.4))
        seen.imshow(reading.image, cmap=INK, vmin=0, vmax=255)
        _frame(seen, "what it sees: 28 × 28")
        best = int(reading.probabilities.argmax())
        colours = [COLOURS["red"] if digit == best else COLOURS["grey"] for digit in range(10)]
        bars.bar(range(10), reading.probabilities, color=colours)
        bars.set(title="how sure it is", xlabel="digit", ylabel="probability", ylim=(0, 1))
        bars.set_xticks(range(10))
        bars.grid(axis="x", visible=False)
        for axes, maps in zip(
            below.subplots(1, len(reading.maps), squeeze=False)[0], reading.maps, strict=True
        ):
            most = float(np.abs(maps).max()) or 1.0
            axes.imshow(mosaic(maps), cmap=SIGNED, vmin=-most, vmax=most)
            _frame(axes, f"{len(maps)} maps of {maps.shape[1]} × {maps.shape[2]}")
        return figure, self._words(reading)

    def show(self) -> None:
        """Read the digit anew, and tell the paper which of its points were read."""
        points = sum(map(len, self.paper.strokes))
        super().show()
        self.paper.answered = points

    def _words(self, reading: Reading) -> str:
        if not reading.image.any():
            return "The paper is empty. Draw a digit; even empty paper gets an answer, since it knows nothing else."
        order = reading.probabilities.argsort()[::-1]
        first, second = (f"{digit} ({reading.probabilities[digit]:.0%})" for digit in order[:2])
        return f"The network reads {first}; next it would say {second}."

    @shows_errors
    def _clear(self, _button: object) -> None:
        self.paper.strokes = []


def mosaic(maps: np.ndarray) -> np.ndarray:
    """Lay maps (N, height, width) side by side with gaps between, about twice as wide as high."""
    count, height, width = maps.shape
    columns = int(np.ceil(np.sqrt(2 * count)))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for number, each in enumerate(maps):
        top, left = number // columns * (height + 1), number % columns * (width + 1)
        sheet[top : top + height, left : left + width] = each
    return sheet


def _frame(axes: Any, title: str) -> None:
    axes.set(title=title, xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
