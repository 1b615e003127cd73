"""Outputs of a notebook: a line with its result, a widget with the still image that stands for it."""

import base64
import math
import os
import sys
from collections.abc import Mapping
from typing import Any

RESULT_MIME = "application/vnd.k2c.result+json"
EPOCH_MIME = "application/vnd.k2c.epoch+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LIVE_MIME = "application/vnd.k2c.live+json"  # all that a page without a kernel needs to show a widget
Bundle = tuple[dict[str, Any], dict[str, Any]]  # the representations by MIME type, and what is said of them


def tell_epoch(row: Mapping[str, Any]) -> None:
    """Tell whoever follows this run what an epoch measured: the numbers of a row of `History`.

    Only a run of a batch asks for it (`K2C_EPOCHS`), and takes the message out of what the notebook shows.
    """
    ipython = sys.modules.get("IPython")
    if os.environ.get("K2C_EPOCHS") != "on" or ipython is None or ipython.get_ipython() is None:
        return
    from IPython.display import display

    numbers = {
        name: value for name, value in row.items() if isinstance(value, int | float) and math.isfinite(value)
    }
    display({"text/plain": ""}, metadata={EPOCH_MIME: numbers}, raw=True)


def publish(line: str, result: dict[str, Any]) -> None:
    """Print a line and keep a result with it: in a notebook, in the metadata of the output that shows the line."""
    # A notebook has a display to publish to; a plain script gets the line alone, without paying for IPython's import.
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(line)
        return
    from IPython.display import display

    display({"text/plain": line}, metadata={RESULT_MIME: result}, raw=True)


def widget_bundle(widget: Any, still: Mapping[str, str]) -> Bundle:
    """Return the representations of a widget.

    Parameters
    ----------
    widget
        An ipywidgets widget.
    still
        What stands for it where no widget can be shown: `text/plain`, and an image or `text/html`.
    """
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    about = {kind: {"alt": still["text/plain"]} for kind in still if kind.startswith("image/")}
    return {**still, WIDGET_VIEW: view}, about


def shown_image(output: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the type (`image/png` or `image/jpeg`) and the base64 text of the image that an output shows, or None."""
    data = output.get("data", {})
    found = (kind for kind in ("image/png", "image/jpeg") if kind in data)
    return next(((kind, "".join(data[kind].split())) for kind in found), None)


def still_image(image: bytes, words: str, kind: str = "png") -> dict[str, str]:
    """Return the representations of an image, `png` or `jpeg`, with the words that stand for it."""
    return {f"image/{kind}": base64.b64encode(image).decode("ascii"), "text/plain": words}
