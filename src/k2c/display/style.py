"""One look for every picture of the course: colour-blind safe, legible from the back of a lecture hall."""

from typing import Any

from cycler import cycler
from matplotlib import style

# Okabe and Ito (2008), "Color Universal Design": told apart under every common colour vision.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "grey": "#767676",
}
HAM, SPAM = COLOURS["blue"], COLOURS["red"]

_STYLE: dict[str, Any] = {
    "figure.figsize": (8.0, 4.5),
    "figure.dpi": 80,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 80,
    "font.size": 13,
    "axes.titlesize": 15,
    "axes.labelsize": 13,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "legend.frameon": False,
    "image.cmap": "viridis",
    "image.interpolation": "nearest",
    # An opaque background keeps the axes readable where the page around the picture is dark.
    "figure.facecolor": "white",
    "axes.prop_cycle": cycler(
        color=[COLOURS[name] for name in ("blue", "red", "green", "orange", "purple", "sky")]
    ),
}


def use_style() -> None:
    """Set matplotlib's defaults to the course's style, for the whole process."""
    style.use(_STYLE)
