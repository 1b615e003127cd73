"""How the tests of figures draw: each module lists its figures by name in `IMAGES`."""

from functools import cache

import matplotlib
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from k2c.display.style import use_style


@pytest.fixture(scope="module")
def draw(request):
    """Return a function that draws a figure, once, as a notebook does: `plt.show` closes what it has shown."""
    images = request.module.IMAGES
    with pytest.MonkeyPatch.context() as patch, matplotlib.rc_context():
        use_style()
        plt.close("all")

        @cache
        def draw_one(name):
            shown = []
            patch.setattr(plt, "show", lambda: [shown.append(plt.gcf()), plt.close(plt.gcf())])
            assert images[name]() is None  # a value would be printed below the figure
            assert plt.get_fignums() == []
            (figure,) = shown
            FigureCanvasAgg(figure).draw()
            return figure

        yield draw_one


@pytest.fixture
def check_text():
    """Return a function that requires of a figure that no text, ticks aside, is cut off or lies over another."""

    def check(figure):
        ticks = [
            label for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())
        ]
        written = [
            text
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and not any(text is label for label in ticks)
        ]
        renderer, page = figure.canvas.get_renderer(), figure.bbox
        boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in written]
        for number, (text, box) in enumerate(boxes):
            assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1, f"{text!r} is cut off"
            assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1, f"{text!r} is cut off"
            for other, other_box in boxes[:number]:
                assert not box.padded(-1).overlaps(other_box.padded(-1)), f"{text!r} lies over {other!r}"

    return check
