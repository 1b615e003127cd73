"""Images of the back of the eye: photographs, what is where in them, and where a network looked."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from scipy import ndimage

from k2c.display.style import COLOURS, show_compact

_SMALLEST = 3  # radius in pixels of the disc that outlines a lesion which is smaller
OUTLINES = (
    "sky",
    "yellow",
    "green",
    "purple",
    "orange",
    "blue",
    "grey",
)  # of each kind of lesion, in its order


def show_lesions(image: Any, masks: Mapping[str, Any], *, title: str) -> None:
    """Draw a fundus photograph, and beside it the same with everything outlined that is known to be there.

    Parameters
    ----------
    image
        uint8 (H, W, 3).
    masks
        What is where: bool (H, W) by name. Empty masks are left out.
    """
    image = np.asarray(image)
    figure, (plain, marked) = plt.subplots(1, 2, figsize=(8.8, 4.9))
    handles = []
    for panel in (plain, marked):
        panel.imshow(image, interpolation="antialiased")
        panel.axis("off")
    for (name, mask), colour in zip(masks.items(), cycle(OUTLINES), strict=False):
        if not np.any(mask):
            continue
        _outline(marked, np.asarray(mask, dtype=bool), COLOURS[colour])
        handles.append(Line2D([], [], color=COLOURS[colour], label=name.replace("_", " ")))
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 4), fontsize=12)
    plain.set_title("the photograph", fontsize=13, loc="center")
    marked.set_title("and what is where", fontsize=13, loc="center")
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def show_attention(
    images: Sequence[Any],
    maps: Sequence[Any],
    masks: Sequence[Any],
    captions: Sequence[str] | None = None,
    *,
    title: str,
) -> None:
    """Draw photographs, and below each the places that spoke for disease, with the lesions outlined.

    Parameters
    ----------
    images
        uint8 (H, W, 3).
    maps
        Evidence, float (h, w), any scale; what is not positive is darkened.
    masks
        Where lesions are, bool (H, W).
    captions
        One an image.
    """
    captions = [""] * len(images) if captions is None else list(captions)
    figure, axes = plt.subplots(2, len(images), figsize=(2.6 * len(images) + 0.2, 6.2), squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    for column, (image, heat, mask) in enumerate(zip(images, maps, masks, strict=True)):
        image = np.asarray(image)
        extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        heat = np.clip(np.asarray(heat, dtype=float), 0, None)
        axes[0, column].imshow(image, interpolation="antialiased")
        axes[0, column].set_title(str(captions[column]), fontsize=12, loc="center")
        axes[1, column].imshow(image.mean(axis=2), cmap="gray", vmin=0, vmax=300)
        axes[1, column].imshow(
            heat / (heat.max() or 1.0), cmap="inferno", alpha=0.55, extent=extent, interpolation="bilinear"
        )
        _outline(axes[1, column], np.asarray(mask, dtype=bool), COLOURS["sky"])
        axes[1, column].set(xlim=extent[:2], ylim=extent[2:])
    figure.suptitle(title, x=0.01, ha="left", fontsize=15)
    show_compact()


def _outline(axes: Any, mask: np.ndarray, colour: str) -> None:
    if not mask.any():
        return
    rows, columns = np.ogrid[-_SMALLEST : _SMALLEST + 1, -_SMALLEST : _SMALLEST + 1]
    grown = ndimage.binary_dilation(mask, structure=rows**2 + columns**2 <= _SMALLEST**2)
    axes.contour(grown, levels=[0.5], colors=[colour], linewidths=1.6)
