"""An image of one's own before a pretrained network: its five best answers, and what they rest on."""

import base64
import io
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image
from skimage.transform import resize

from k2c.datasets.images import read_image
from k2c.datasets.photographs import SAMPLES, sample_photograph
from k2c.display.photographs import draw_photograph
from k2c.display.style import COLOURS
from k2c.display.widgets.base import LectureWidget, data_url, front_end, packed
from k2c.models.backbones import Backbone
from k2c.models.classify import image_logits, top_classes
from k2c.models.explain import grad_cam

OWN = "your own photograph"
_CELLS = 28


class Look(NamedTuple):
    """What a network makes of an image.

    Attributes
    ----------
    square
        uint8 (S, S, 3): what it sees.
    answers
        Its best answers, a row each: `name`, `probability`, `index`.
    heat
        float32 (S, S): where the last feature maps speak for the answer that was asked about.
    """

    square: np.ndarray
    answers: pd.DataFrame
    heat: np.ndarray


def look_at(network: Backbone, image: np.ndarray, rank: int = 1) -> Look:
    """Return a network's five best answers to an image, and Grad-CAM for one of them.

    Parameters
    ----------
    network
        A backbone with a classifier.
    image
        uint8 (H, W, 3) of any size.
    rank
        Which answer is asked about: 1 is the best.
    """
    answers = top_classes(image_logits(network, [image]), 5)
    inputs = network.preprocessing(image).to(next(network.parameters()).device)
    heat = grad_cam(network, inputs, int(answers["index"].iloc[rank - 1]))[0]
    return Look(network.preprocessing.square(image), answers, heat)


class ImagePicker(LectureWidget):
    """A photograph to choose or to bring along; a network's five best answers, and where they come from.

    Without a kernel the samples' answers are there, and no others.

    Parameters
    ----------
    network
        A backbone with a classifier.
    name
        The photograph at the start, one of `k2c.datasets.photographs.SAMPLES`.
    """

    front = "photographs"
    kind = "jpeg"
    _esm = front_end(front)

    def __init__(self, network: Backbone, name: str = "cat") -> None:
        self.network, self.image = network, sample_photograph(name)
        data = {"names": list(SAMPLES), "seen": {name: self._seen(self.image)}}
        super().__init__(data, photograph=name, answer=1)

    def answer(self, asked: dict[str, Any]) -> None:
        """Ask the network about a sample, or about a file that the front end sent along."""
        own = "file" in asked
        self.image = _read(asked["file"]) if own else sample_photograph(asked["photograph"])
        name = OWN if own else asked["photograph"]
        self.data = {**self.data, "seen": {name: self._seen(self.image)}}
        if own:
            self.choose(photograph=OWN)

    def page_data(self) -> dict[str, Any]:
        """Return what the network makes of every sample."""
        return {**self.data, "seen": {name: self._seen(sample_photograph(name)) for name in SAMPLES}}

    def _seen(self, image: np.ndarray) -> dict[str, Any]:
        """Return what the network sees, its answers, and the map of each, as the front end shows them."""
        answers, file = top_classes(image_logits(self.network, [image]), 5), io.BytesIO()
        Image.fromarray(self.network.preprocessing.square(image)).save(file, "JPEG", quality=80)
        inputs = self.network.preprocessing(image).to(next(self.network.parameters()).device)
        return {
            "square": data_url(file.getvalue(), "jpeg"),
            "answers": [
                [name, float(sure)]
                for name, sure in zip(answers["name"], answers["probability"], strict=True)
            ],
            "maps": [
                packed(_small(grad_cam(self.network, inputs, int(index))[0]), "uint8")
                for index in answers["index"]
            ],
        }

    def draw(self) -> tuple[Figure, str]:
        """Draw the image, where the answer comes from, and the five answers."""
        rank = self.values["answer"]
        seen = look_at(self.network, self.image, rank)
        asked = seen.answers.iloc[rank - 1]
        figure = Figure(figsize=(12.0, 4.2), layout="constrained")
        plain, hot, bars = figure.subplots(1, 3, width_ratios=(1, 1, 1.1))
        draw_photograph(plain, seen.square)
        plain.set_title("what it sees")
        draw_photograph(hot, (seen.square.mean(axis=2) * 0.6 + 100).clip(0, 255).astype(np.uint8))
        most = float(seen.heat.max()) or 1.0
        hot.imshow(seen.heat, cmap="magma_r", alpha=0.8 * (seen.heat / most) ** 0.5, interpolation="auto")
        hot.set_title(f"what speaks for {asked['name']}", fontsize=13)
        _draw_answers(bars, seen.answers, rank)
        best = seen.answers.iloc[0]
        return figure, (
            f"The network's best answer is {best['name']} ({best['probability']:.0%}). The map shows what speaks for "
            f"its answer number {rank}, {asked['name']} ({asked['probability']:.0%})."
        )


def _small(heat: np.ndarray) -> np.ndarray:
    """Return a map, float (S, S), on 28 x 28 cells as uint8, 255 where it is largest: it is smooth."""
    cells = resize(heat, (_CELLS, _CELLS), order=1, anti_aliasing=False)
    return (255 * cells / (float(cells.max()) or 1.0)).round()


def _read(content: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "image"
        file.write_bytes(base64.b64decode(content))
        return read_image(file)


def _draw_answers(axes: Any, answers: pd.DataFrame, rank: int) -> None:
    places = np.arange(len(answers))
    colours = [COLOURS["red"] if place == rank - 1 else COLOURS["blue"] for place in places]
    bars = axes.barh(places, answers["probability"], color=colours)
    axes.bar_label(bars, labels=[f"{p:.0%}" for p in answers["probability"]], padding=3)
    axes.set_yticks(places, answers["name"])
    axes.invert_yaxis()
    axes.set(title="its five best answers", xlim=(0, 1.15))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="y", visible=False)
