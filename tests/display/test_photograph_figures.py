"""The images of the lecture on pretrained networks: labelled, true to their data, and nothing cut off."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib.text import Text

from k2c.display.blocks import draw_blocks, draw_branches
from k2c.display.explain import show_colour_filters, show_heat, show_reliability
from k2c.display.photographs import show_photographs, show_preprocessing, show_top_classes

RNG = np.random.default_rng(0)
PHOTOGRAPH = RNG.integers(0, 256, (30, 45, 3)).astype(np.uint8)
TALL = RNG.integers(0, 256, (60, 30, 3)).astype(np.uint8)
SQUARE = RNG.integers(0, 256, (32, 32, 3)).astype(np.uint8)
LEFT = np.zeros((32, 32))
LEFT[:, :10] = 1.0
TOP = pd.DataFrame(
    {
        "image": ["cat"] * 3 + ["cup"] * 3,
        "name": ["tabby", "tiger cat", "black-and-tan coonhound", "espresso", "cup", "bee"],
        "probability": [0.5, 0.3, 0.1, 0.9, 0.05, 0.01],
    }
)
BLOCKS = pd.DataFrame(
    {
        "output_shape": [(32, 112, 112), (64, 56, 56), (64, 56, 56), (64,), (1000,)],
        "parameters": [900, 18_500, 36_900, 0, 65_000],
        "multiply_adds": [11_000_000, 58_000_000, 1_200_000_000, 0, 64_000],
    },
    index=["stem", "block1", "inception2a", "pool", "classifier"],
)
BRANCHES = pd.DataFrame(
    [
        ("net.a.branch1.conv", "Conv2d", (8, 28, 28), 16 * 8),
        ("net.a.branch1.bn", "BatchNorm2d", (8, 28, 28), 16),
        ("net.a.branch2.0.conv", "Conv2d", (4, 28, 28), 16 * 4),
        ("net.a.branch2.1.conv", "Conv2d", (24, 28, 28), 4 * 24 * 9),
        ("net.a.branch3.0", "MaxPool2d", (16, 28, 28), 0),
        ("net.a.branch3.1.conv", "Conv2d", (2, 28, 28), 16 * 2),
    ],
    columns=["layer", "kind", "output_shape", "parameters"],
).set_index("layer")
RELIABILITY = pd.DataFrame(
    {
        "low": [0.2, 0.8],
        "high": [0.4, 1.0],
        "examples": [5, 20],
        "confidence": [0.3, 0.9],
        "right": [0.6, 0.8],
    }
)

IMAGES = {
    "photographs": lambda: show_photographs({"wide": PHOTOGRAPH, "tall": TALL}, title="A title"),
    "preprocessing": lambda: show_preprocessing(
        PHOTOGRAPH, SQUARE, RNG.normal(size=(3, 32, 32)), kept=0.875, title="A title"
    ),
    "top classes": lambda: show_top_classes(
        {"cat": PHOTOGRAPH, "cup": TALL}, TOP, title="A title", right={"cat": ["tabby", "tiger cat"]}
    ),
    "filters": lambda: show_colour_filters(RNG.random((20, 3, 3, 3)), title="A title"),
    "heat": lambda: show_heat(SQUARE, {"here": LEFT, "nowhere": 0 * LEFT}, title="A title"),
    "reliability": lambda: show_reliability(RELIABILITY, title="A title", captions=["sure: 78%"]),
    "blocks": lambda: draw_blocks(BLOCKS, (3, 224, 224), title="A title"),
    "branches": lambda: draw_branches(BRANCHES, (16, 28, 28), title="A title"),
}


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def said(figure):
    return [text.get_text() for text in texts(figure)]


@pytest.mark.parametrize("name", IMAGES)
def test_the_title_is_there_and_no_text_is_cut_off_or_written_over_another(name, draw):
    figure = draw(name)
    assert "A title" in said(figure)
    renderer = figure.canvas.get_renderer()
    ticks = {id(t) for axes in figure.axes for t in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts(figure) if id(t) not in ticks]
    for number, (text, box) in enumerate(boxes):
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, f"{text!r} is cut off"
        assert box.y0 >= -1 and box.y1 <= figure.bbox.y1 + 1, f"{text!r} is cut off"
        for other, other_box in boxes[:number]:
            assert not box.padded(-1).overlaps(other_box.padded(-1)), f"{text!r} lies over {other!r}"


def test_photographs_keep_their_shape(draw):
    wide, tall = draw("photographs").axes[:2]
    np.testing.assert_array_equal(wide.images[0].get_array(), PHOTOGRAPH)
    for axes, image in ((wide, PHOTOGRAPH), (tall, TALL)):
        box = axes.get_window_extent()
        assert box.width / box.height == pytest.approx(image.shape[1] / image.shape[0], rel=0.02)


def test_bars_have_the_probabilities_and_the_right_names_another_colour(draw):
    bars = [axes for axes in draw("top classes").axes if axes.patches]
    widths = [patch.get_width() for axes in bars for patch in axes.patches]
    np.testing.assert_allclose(widths, TOP["probability"])
    colours = [patch.get_facecolor() for patch in bars[0].patches]
    assert colours[0] == colours[1] != colours[2]


def test_the_frame_shows_what_the_crop_keeps(draw):
    frame = draw("preprocessing").axes[0].patches[-1]
    assert frame.get_width() == frame.get_height() == pytest.approx(0.875 * 30)
    assert frame.get_x() + frame.get_width() / 2 == pytest.approx(45 / 2 - 0.5)


def test_a_map_is_laid_over_the_image_where_it_is_positive(draw):
    here, nowhere = (axes.images[1] for axes in draw("heat").axes[:2])
    strength = np.asarray(here.get_alpha())
    assert strength[:, :10].min() > 0.5 and strength[:, 10:].max() == 0
    assert np.asarray(nowhere.get_alpha()).max() == 0


def test_a_network_is_drawn_with_sizes_and_costs(draw):
    drawing = said(draw("blocks"))
    for text in ("224", "112", "56 × 56", "32", "64", "1000", "18k", "37k", "65k", "58M", "1.2G", "64k"):
        assert text in drawing
    assert any("121k in all" in text for text in drawing)


def test_branches_are_drawn_with_their_kernels_and_their_stack(draw):
    drawing = said(draw("branches"))
    assert "1 × 1 convolution\n8 maps\n144 parameters" in drawing  # with the normalisation's
    assert "3 × 3 convolution\n24 maps\n864 parameters" in drawing
    assert "3 × 3 max-pooling\n16 maps\nnothing to learn" in drawing
    assert "stacked:\n34 × 28 × 28" in drawing
