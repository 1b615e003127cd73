"""Photographs in a notebook without the weight of photographs."""

import base64
import io
import sys

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from k2c.display.describe import describe_figure

N_COLOURS = 256  # a photograph on a slide looks the same, and the PNG is a third of the size


def show_compact() -> None:
    """Show the current figure as `plt.show` does; in a notebook as a PNG of few colours.

    A notebook is committed with its pictures and may weigh 2 MB. PNG keeps lines and letters sharp, and takes
    few bytes for photographs only when they have few colours.
    """
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None or not plt.get_backend().endswith("inline"):
        plt.show()
        return
    figure, file = plt.gcf(), io.BytesIO()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    few = picture.quantize(N_COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(file, "PNG", optimize=True)
    title, about = figure.get_suptitle() or "picture", {"image/png": {"alt": describe_figure(figure)}}
    plt.close(figure)
    data = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": title}
    ipython.display.display(data, metadata=about, raw=True)
