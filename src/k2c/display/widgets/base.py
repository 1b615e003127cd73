"""What every widget of the course shares: a front end, data that it computes with, and a still image in its place."""

import base64
import io
import os
import threading
import traceback
from pathlib import Path
from typing import Any, ClassVar, Self

import anywidget
import numpy as np
import traitlets
from matplotlib.figure import Figure

from k2c._system.outputs import LIVE_MIME, Bundle, still_image, widget_bundle
from k2c._system.printable import printable
from k2c.errors import K2CError, unknown

FRONTS = Path(__file__).with_name("fronts")
SHARED, STYLE = (FRONTS / name for name in ("shared.js", "style.css"))


def front_end(name: str) -> str:
    """Return the JavaScript module of a widget as one text: what all of them share, then its own file.

    A page that is opened from the file system can load no module that imports another.
    """
    return "\n".join(path.read_text(encoding="utf-8") for path in (SHARED, FRONTS / f"{name}.js"))


def packed(values: Any, dtype: str) -> dict[str, Any]:
    """Return numbers as JSON holds them for `unpack` in `shared.js`: type, shape, and the bytes in base64.

    Parameters
    ----------
    values
        An array of any shape.
    dtype
        `float16`, `float32`, `float64`, `uint8`, `uint16` or `int32`.
    """
    array = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "shape": list(array.shape), "base64": base64.b64encode(array.tobytes()).decode()}


def data_url(content: bytes, kind: str) -> str:
    """Return an image as an address that holds its bytes; `kind` is `png`, `jpeg` or `webp`."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


class LectureWidget(anywidget.AnyWidget):
    """A widget that computes and draws in its front end: in a notebook, and on a page without a kernel.

    A subclass names its front end, hands over the data, and draws in `draw` the still image that stands for it.

    Parameters
    ----------
    data
        What the front end computes with, as JSON holds it.
    **values
        What the controls are set to at the start.

    Attributes
    ----------
    front
        Its file in `fronts`, without the ending.
    kind
        Of the still image: `png`, or `jpeg` for photographs, which would weigh ten times as much otherwise.
    """

    front: ClassVar[str] = ""
    kind: ClassVar[str] = "png"
    _css = STYLE.read_text(encoding="utf-8")
    data: Any = traitlets.Dict().tag(sync=True)
    values: Any = traitlets.Dict().tag(sync=True)
    asked: Any = traitlets.Dict().tag(sync=True)  # of the kernel, by the front end; a question has a `number`
    answered = traitlets.Int(0).tag(sync=True)  # the number of the last one
    kernel = traitlets.Bool(True).tag(sync=True)  # there is one to ask
    error: Any = traitlets.Unicode().tag(sync=True)

    def __init__(self, data: dict[str, Any], **values: Any) -> None:
        self.turn = threading.RLock()
        super().__init__(data=data, values=values)
        self.observe(self._asked, names="asked")

    def draw(self) -> tuple[Figure, str]:
        """Return an image of what the controls are set to, and in a sentence or two what is to be seen on it."""
        raise NotImplementedError

    def still(self) -> dict[str, str]:
        """Return what the controls are set to show, by MIME type: `text/plain`, and an image or a page."""
        figure, words = self.draw()
        buffer = io.BytesIO()
        options = {"quality": 80} if self.kind == "jpeg" else {}
        figure.savefig(buffer, format=self.kind, pil_kwargs=options)
        return still_image(buffer.getvalue(), words, self.kind)

    def page_data(self) -> dict[str, Any]:
        """Return the data for a page without a kernel, where it cannot ask for more."""
        return dict(self.data)

    def choose(self, **values: Any) -> Self:
        """Set controls as a hand would; returns the widget.

        Raises
        ------
        K2CError
            When it has no such control.
        """
        for name in values:
            if name not in self.values:
                raise K2CError(unknown("control", name, self.values))
        self.values = {**self.values, **values}
        return self

    def answer(self, asked: dict[str, Any]) -> None:
        """Answer a question of the front end, by changing `data`."""
        raise NotImplementedError

    def _asked(self, change: Any) -> None:
        with self.turn:  # messages may come in threads of their own
            error = ""
            try:
                self.answer(change["new"])
            except Exception as problem:  # it would end in a log that nobody reads; the kernel goes on
                error = _told(problem)
            self.error, self.answered = error, change["new"].get("number", 0)

    def live(self) -> dict[str, Any]:
        """Return all that a page needs to show the widget without a kernel, as JSON holds it."""
        return {"front": self.front, "data": self.page_data(), "values": dict(self.values)}

    def _repr_mimebundle_(self, **_options: Any) -> Bundle:
        shown, about = widget_bundle(self, self.still())
        if (
            os.environ.get("K2C_WIDGETS") == "keep"
        ):  # a committed notebook is executed, and the site wants it alive
            shown[LIVE_MIME] = self.live()
        return shown, about


def _told(error: Exception) -> str:
    if isinstance(error, K2CError):
        return printable(error, lines=True)
    return printable("".join(traceback.format_exception_only(error)), lines=True).rstrip()
