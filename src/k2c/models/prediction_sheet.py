"""An HTML sheet of images, each with its answers and a map of where it speaks for the first."""

import base64
import html
import io
import os
from contextlib import ExitStack
from pathlib import Path
from string import Template
from types import TracebackType

import numpy as np
from PIL import Image

from k2c._system.atomic import atomic_path
from k2c._system.printable import printable
from k2c.datasets.images import ImageArray
from k2c.models.class_maps import Answers
from k2c.models.own_classifier import OwnClassifier

_SHOWN = 5  # classes of each image
# From little to much; the web page of a classifier has the same.
_STOPS = np.array([[252, 253, 191], [254, 159, 109], [222, 73, 104], [140, 41, 129], [40, 11, 84]], float)
_HEAD = Path(__file__).with_suffix(".html")  # up to the first image


class PredictionSheet:
    """Writes a sheet image by image; the file appears when the block ends without an error.

    Parameters
    ----------
    file
        Where to write. Images stand in it, about 20 kB each.
    own
        The classifier; its card is the head of the sheet.
    title
        The heading.
    """

    def __init__(self, file: str | os.PathLike[str], own: OwnClassifier, title: str) -> None:
        self._file, self._own, self._title = file, own, title
        self._stack, self._empty = ExitStack(), True

    def __enter__(self) -> "PredictionSheet":
        part = self._stack.enter_context(atomic_path(self._file))
        self._stream = self._stack.enter_context(part.open("w", encoding="utf-8"))
        card = {name: _escaped(text) for name, text in vars(self._own.card).items()}
        head = Template(_HEAD.read_text(encoding="utf-8"))
        self._stream.write(head.substitute(card, title=_escaped(self._title)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is None:
            self._stream.write(f"{'<p>There are none.</p>' * self._empty}</main></body></html>\n")
        return self._stack.__exit__(kind, error, trace)

    def add(self, name: str, square: ImageArray, answers: Answers, place: int, note: str = "") -> None:
        """Add an image.

        Parameters
        ----------
        name
            Its file.
        square
            uint8 (S, S, 3), as the network sees it.
        answers
            Of a batch.
        place
            Of the image in the batch.
        note
            A sentence below its name.
        """
        self._empty = False
        probabilities = answers.probabilities[place].tolist()
        best = sorted(range(len(probabilities)), key=lambda index: -probabilities[index])[:_SHOWN]
        rows = "".join(
            f'<tr style="--p:{probabilities[index]:.4f}"><td>{_escaped(self._own.classes[index])}</td>'
            f"<td>{probabilities[index]:.1%}</td></tr>"
            for index in best
        )
        first = _escaped(self._own.classes[int(answers.top[place, 0])])
        heat = heat_image(square, answers.maps[place, 0].cpu().numpy())
        self._stream.write(
            f"<article><h2>{_escaped(name)}</h2>{f'<p>{_escaped(note)}</p>' if note else ''}"
            f"{_image(square, _escaped(name))} {_image(heat, f'what speaks for {first}')}"
            f"<table>{rows}</table></article>\n"
        )


def heat_image(square: ImageArray, heat: np.ndarray) -> ImageArray:
    """Return an image in pale grey with a map over it: uint8 (S, S, 3).

    Parameters
    ----------
    square
        uint8 (S, S, 3).
    heat
        float32 (h, w), 0 and more, on a scale of its own.
    """
    size = square.shape[:2][::-1]
    large = np.asarray(Image.fromarray(heat.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    strength = np.clip(large / (float(heat.max()) or 1.0), 0, 1)
    place = strength * (len(_STOPS) - 1)
    colours = np.stack([np.interp(place, range(len(_STOPS)), channel) for channel in _STOPS.T], axis=2)
    light = 127.5 + square.mean(axis=2, keepdims=True) / 2
    return (light + 0.8 * np.sqrt(strength)[..., None] * (colours - light)).astype(np.uint8)


def _image(pixels: ImageArray, words: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=85)
    return f'<img src="data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}" alt="{words}">'


def _escaped(text: str) -> str:
    return html.escape(printable(text, lines=True))
