"""How the tests of images draw: each module lists its images by name in `IMAGES`."""

from functools import cache

import matplotlib
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg

from k2c.display.style import use_style


@pytest.fixture(scope="module")
def draw(request):
    """Return a function that draws an image, once, as a notebook does: `plt.show` closes what it has shown."""
    images = request.module.IMAGES
    with pytest.MonkeyPatch.context() as patch, matplotlib.rc_context():
        use_style()
        plt.close("all")

        @cache
        def draw_one(name):
            shown = []
            patch.setattr(plt, "show", lambda: [shown.append(plt.gcf()), plt.close(plt.gcf())])
            assert images[name]() is None  # a value would be printed below the image
            assert plt.get_fignums() == []
            (figure,) = shown
            FigureCanvasAgg(figure).draw()
            return figure

        yield draw_one
