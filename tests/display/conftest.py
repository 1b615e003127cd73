"""How the tests of pictures draw: each module lists its pictures by name in `PICTURES`."""

from functools import cache

import matplotlib
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg

from k2c.display.style import use_style


@pytest.fixture(scope="module")
def draw(request):
    """Return a function that draws a picture, once, as a notebook does: `plt.show` closes what it has shown."""
    pictures = request.module.PICTURES
    with pytest.MonkeyPatch.context() as patch, matplotlib.rc_context():
        use_style()
        plt.close("all")

        @cache
        def draw_one(name):
            shown = []
            patch.setattr(plt, "show", lambda: [shown.append(plt.gcf()), plt.close(plt.gcf())])
            assert pictures[name]() is None  # a value would be printed below the picture
            assert plt.get_fignums() == []
            (figure,) = shown
            FigureCanvasAgg(figure).draw()
            return figure

        yield draw_one
