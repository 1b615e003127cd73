"""One look for every image of the course: colour-blind safe, legible from the back of a lecture hall."""

import io
import sys
from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib import style
from matplotlib.figure import Figure

from k2c._system.outputs import still_image
from k2c.display.colours import COLOURS as COLOURS
from k2c.display.describe import describe_figure

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
    # An opaque background keeps the axes readable where the page around the image is dark.
    "figure.facecolor": "white",
    "axes.prop_cycle": cycler(
        color=[COLOURS[name] for name in ("blue", "red", "green", "orange", "purple", "sky")]
    ),
}


def use_style() -> None:
    """Set matplotlib's defaults to the course's style, for the whole process.

    In a notebook, every figure that is shown takes a description along, as its image's alternative text.
    """
    _describe_figures()
    style.use(_STYLE)


def _describe_figures() -> None:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return
    import matplotlib.pyplot as plt  # a kernel's figures are shown by the backend, which says how

    if plt.get_backend().endswith("inline"):
        shell.enable_matplotlib("inline")  # otherwise with the first figure, over what is set here
    formatter = shell.display_formatter.formatters["image/png"]
    try:
        draw = formatter.lookup_by_type(Figure)
    except KeyError:  # a terminal, or images of another kind
        return
    if getattr(draw, "describes", False):
        return

    def draw_described(figure: Figure) -> Any:
        drawn = draw(figure)
        data, about = drawn if isinstance(drawn, tuple) else (drawn, {})
        return None if data is None else (data, about | {"alt": describe_figure(figure)})

    draw_described.describes = True  # type: ignore[attr-defined]
    formatter.for_type(Figure, draw_described)


JPEG_QUALITY = 85  # no block is seen on a projector, and letters stay clean


def show_compact() -> None:
    """Show the current figure as `plt.show` does; in a notebook as a JPEG, which keeps the colours of photographs.

    A notebook is committed with its images and may weigh 2 MB. PNG keeps lines and letters sharp, and takes few bytes
    for a photograph only when it has few colours, which paints things that are not there.
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None or not plt.get_backend().endswith("inline"):
        plt.show()
        return
    figure, file = plt.gcf(), io.BytesIO()
    options = {"quality": JPEG_QUALITY, "optimize": True}
    figure.savefig(file, format="jpeg", bbox_inches="tight", pil_kwargs=options)  # tight: no label is cut off
    title, about = figure.get_suptitle() or "image", {"image/jpeg": {"alt": describe_figure(figure)}}
    plt.close(figure)
    data = still_image(file.getvalue(), title, "jpeg")
    ipython.display.display(data, metadata=about, raw=True)
