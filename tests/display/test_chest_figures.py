"""The images of lecture 6: labelled, nothing over anything, and what they draw is what they were given."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib.text import Text

from k2c.datasets.chest import FINDINGS, cooccurrence
from k2c.display.chest import show_cooccurrence, show_films, show_findings
from k2c.display.parallel import (
    GRADIENTS,
    show_all_reduce_times,
    show_exchange,
    show_log_curves,
    show_losses,
    show_step_times,
)
from k2c.errors import K2CError
from k2c.metrics import multilabel_table

RNG = np.random.default_rng(0)
LABELS = (RNG.random((200, 14)) < 0.2).astype(float)
TABLES = {
    name: multilabel_table(RNG.random((200, 14)) + LABELS / 2, LABELS, FINDINGS, samples=50)
    for name in ("VGG", "DenseNet")
}
TIMES = pd.DataFrame({"measured": [0.02, 0.024, 0.05], "predicted": [0.02, 0.025, 0.049]}, index=[1, 2, 4])
FILM = RNG.integers(0, 256, (64, 64)).astype(np.uint8)
SPOT = np.zeros((64, 64), bool)
SPOT[30:40, 10:20] = True
CURVES = {
    "ring": pd.Series([0.0, 5.0, 10.0], [1, 8, 64]),
    "one server": pd.Series([40.0, np.nan], [8, 64]),
    "ideal": pd.Series([1.0, 1.0], [1, 64]),
}

IMAGES = {
    "films": lambda: show_films([FILM] * 5, list("abcde"), [{"Mass": SPOT}] * 5, title="A title"),
    "cooccurrence": lambda: show_cooccurrence(cooccurrence() / 112_120, title="A title"),
    "findings": lambda: show_findings(TABLES, title="A title"),
    "server": lambda: show_exchange("parameter_server", title="A title"),
    "ring": lambda: show_exchange("all_reduce", title="A title"),
    "spark": lambda: show_exchange("spark", title="A title"),
    "times": lambda: show_step_times(TIMES, title="A title"),
    "algorithms": lambda: show_all_reduce_times({"ring": [(1000, 1e-4), (10**6, 1e-3)]}, title="A title"),
    "curves": lambda: show_log_curves(
        {"DenseNet-121": CURVES, "VGG-16": {"one server": CURVES["one server"]}},
        title="A title", xlabel="workers", ylabel="time lost, %",
    ),
    "losses": lambda: show_losses({"one": [3, 2, 1], "two": [3, 2, 1]}, title="A title"),
}  # fmt: skip
WITHOUT_AXES = {"films", "server", "ring", "spark"}


def texts(figure):
    found = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    ticks = [label for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())]
    return [text for text in found if not any(text is label for label in ticks)]


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_has_a_title_and_labelled_axes(name, draw):
    figure = draw(name)
    assert "A title" in {text.get_text().strip() for text in texts(figure)}
    own = [axes for axes in figure.axes if axes.axison and axes.get_label() != "<colorbar>"]
    assert name in WITHOUT_AXES or all(axes.get_xlabel() and axes.get_ylabel() for axes in own)


@pytest.mark.parametrize("name", IMAGES)
def test_no_text_is_cut_off_or_written_over_another(name, draw):
    figure = draw(name)
    renderer, page = figure.canvas.get_renderer(), figure.bbox
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(figure)]
    for number, (text, box) in enumerate(boxes):
        assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1, f"{text!r} is cut off"
        assert box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1, f"{text!r} is cut off"
        for other, other_box in boxes[:number]:
            assert not box.padded(-1).overlaps(other_box.padded(-1)), f"{text!r} lies over {other!r}"


@pytest.mark.parametrize("kind", ["server", "ring", "spark"])
def test_every_exchange_ends_with_the_average_in_all_workers(kind, draw):
    first, *_, last = draw(kind).axes
    assert [text.get_text() for text in first.texts][:4] == [str(number) for number in GRADIENTS]
    step = f"w - {sum(GRADIENTS) // len(GRADIENTS)}η"
    assert [text.get_text() for text in last.texts if text.get_text()].count(step) >= 4


def test_the_diagonal_says_how_rare_each_finding_is(draw):
    cells = [text.get_text() for text in draw("cooccurrence").axes[0].texts]
    assert cells[FINDINGS.index("Infiltration")] == "17.7" and cells[FINDINGS.index("Hernia")] == "0.2"


def test_each_finding_has_a_dot_a_model_with_the_mean_last(draw):
    axes = draw("findings").axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()][-1] == "mean"
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_label() for line in dots] == list(TABLES)
    assert all(len(line.get_xdata()) == 15 for line in dots)


def test_an_unknown_exchange_is_told_in_a_sentence():
    with pytest.raises(K2CError, match="parameter_server, all_reduce, spark"):
        show_exchange("gossip", title="A title")


def test_curves_leave_out_what_is_0_or_missing(draw):
    first, second = draw("curves").axes
    assert [list(line.get_xdata()) for line in first.lines] == [[8, 64], [8], [1, 64]]
    assert first.get_ylim() == second.get_ylim()
    assert second.lines[0].get_color() == first.lines[1].get_color() != first.lines[0].get_color()
