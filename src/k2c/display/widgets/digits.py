"""A pad to draw a digit on, and what a network makes of it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from k2c.datasets import to_inputs
from k2c.datasets.mnist import MNIST_MEAN, MNIST_STD
from k2c.display.images import INK, SIGNED
from k2c.display.style import COLOURS
from k2c.display.widgets.base import LectureWidget, front_end, packed
from k2c.errors import K2CError

Stroke = Sequence[Sequence[float]]

SIDE, INNER = 28, 20  # pixels of the image, and of the box that the digit fills
PEN = 2.4  # pixels: how thick the digits of MNIST are

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
    return (255 * _draw([line - off_centre for line in fitted])).round().astype(np.uint8)


def _draw(lines: Sequence[np.ndarray]) -> np.ndarray:
    """Return how much ink lies on each pixel, 0 to 1: by the distance of its middle from the nearest line."""
    across, down = np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5)
    middles, least = np.stack([across, down], axis=-1)[:, :, None], np.full((SIDE, SIDE), np.inf)
    for line in lines:
        start, end = (line[:-1], line[1:]) if len(line) > 1 else (line, line)
        way = end - start
        length = np.maximum((way**2).sum(axis=-1), 1e-30)
        along = (((middles - start) * way).sum(axis=-1) / length).clip(0, 1)
        off = middles - start - along[..., None] * way
        least = np.minimum(least, np.sqrt((off**2).sum(axis=-1)).min(axis=-1))
    return (PEN / 2 + 0.5 - least).clip(0, 1)


def _centre_of_mass(ink: np.ndarray) -> np.ndarray:
    """Return x and y in pixels."""
    places = np.arange(SIDE) + 0.5
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


class DigitPad(LectureWidget):
    """A pad to draw a digit on; a network's answer, what it sees and its feature maps, while one draws.

    The front end computes with the network's weights as they are at the start, rounded to float16.

    Parameters
    ----------
    network
        See `read_digit`. Its layers are `Conv2d` (stride 1, no padding), `Tanh`, `ReLU`, `MaxPool2d`, `Flatten` and
        `Linear`.
    strokes
        What stands on the paper until the first stroke; a three where it is left out.
    """

    front = "digits"
    _esm = front_end(front)

    def __init__(self, network: nn.Sequential, strokes: Sequence[Stroke] = THREE) -> None:
        self.network = network
        data = {"layers": [_layer(layer) for layer in network], "mean": MNIST_MEAN, "deviation": MNIST_STD}
        super().__init__(data, strokes=[[list(point) for point in stroke] for stroke in strokes])

    def draw(self) -> tuple[Figure, str]:
        """Draw what the network sees, its answer and its feature maps."""
        reading = read_digit(self.values["strokes"], self.network)
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

    def _words(self, reading: Reading) -> str:
        if not reading.image.any():
            return "The paper is empty. Draw a digit; even empty paper gets an answer, since it knows nothing else."
        order = reading.probabilities.argsort()[::-1]
        first, second = (f"{digit} ({reading.probabilities[digit]:.0%})" for digit in order[:2])
        return f"The network reads {first}; next it would say {second}."


def _layer(layer: nn.Module) -> dict[str, Any]:
    """Return a layer as the front end computes it."""
    match layer:
        case nn.Conv2d(stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, kernel_size=(k, other)) if (
            k == other
        ):
            return {"kind": "conv"} | _weights(layer)
        case nn.Linear():
            return {"kind": "linear"} | _weights(layer)
        case nn.MaxPool2d(kernel_size=int(size), padding=0) if layer.stride == size:
            return {"kind": "pool", "size": size}
        case nn.Tanh() | nn.ReLU() | nn.Flatten():
            return {"kind": type(layer).__name__.lower()}
    raise K2CError(
        f"The digit pad computes Conv2d (stride 1, no padding), Tanh, ReLU, MaxPool2d, Flatten and Linear, not {layer}."
    )


def _weights(layer: Any) -> dict[str, Any]:
    bias = layer.weight.new_zeros(len(layer.weight)) if layer.bias is None else layer.bias
    kept = {"weight": layer.weight, "bias": bias}
    return {name: packed(values.detach().cpu().numpy(), "float16") for name, values in kept.items()}


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
