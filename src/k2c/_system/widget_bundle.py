"""An output of a notebook that is a widget where something can show it, and a still picture everywhere else."""

import base64
from collections.abc import Mapping
from typing import Any

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
Bundle = tuple[dict[str, Any], dict[str, Any]]  # the representations by MIME type, and what is said of them


def widget_bundle(widget: Any, still: Mapping[str, str]) -> Bundle:
    """Return the representations of a widget.

    Parameters
    ----------
    widget
        An ipywidgets widget.
    still
        What stands for it where no widget can be shown: `text/plain`, and a picture or `text/html`.
    """
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    about = {kind: {"alt": still["text/plain"]} for kind in still if kind.startswith("image/")}
    return {**still, WIDGET_VIEW: view}, about


def still_picture(picture: bytes, words: str, kind: str = "png") -> dict[str, str]:
    """Return the representations of a picture, `png` or `jpeg`, with the words that stand for it."""
    return {f"image/{kind}": base64.b64encode(picture).decode("ascii"), "text/plain": words}
