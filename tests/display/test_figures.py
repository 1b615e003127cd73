"""The images of a lecture: they show the data that they were given, labelled, and nothing lies over anything."""

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")

from matplotlib.text import Text

from k2c.display.curves import show_training
from k2c.display.images import show_digits, show_hog, show_maps, show_numbers, show_products, show_stages
from k2c.display.metrics import show_curves
from k2c.display.network import draw_network
from k2c.models import LeNet, layer_table
from k2c.models.features import cell_histograms, gradients
from k2c.training import History

RNG = np.random.default_rng(0)
DIGITS = torch.from_numpy(RNG.integers(0, 256, (12, 28, 28)).astype(np.uint8))
MAPS = torch.from_numpy(RNG.normal(size=(7, 5, 5)))
HISTORY = History(
    [{"epoch": k, "train_loss": 1 / k, "valid_loss": 1.1 / k, "learning_rate": 0.1} for k in (1, 2, 3)]
)
STEPS = list(np.geomspace(2.3, 0.02, 90))

SIZES = [40, 80, 160, 320, 640, 1280, 2560, 3619]
LABELS = {"title": "A title", "xlabel": "examples", "ylabel": "accuracy"}

IMAGES = {
    "five sizes": lambda: show_curves(SIZES[:5], {"one": SIZES[:5]}, log_x=True, **LABELS),
    "eight sizes": lambda: show_curves(SIZES, {"one": SIZES}, log_x=True, **LABELS),
    "digits": lambda: show_digits(DIGITS, [f"{n}\nsure" for n in range(12)], title="A title", columns=5),
    "rows of digits": lambda: show_digits(
        DIGITS, title="A title", columns=4, rows=["first collection", "second", "third"]
    ),
    "maps": lambda: show_maps(MAPS, range(7), title="A title", columns=4),
    "numbers": lambda: show_numbers(DIGITS[0], top=3, left=7, size=9, title="A title"),
    "weighted sum": lambda: show_products(MAPS[0], MAPS[1], title="A title"),
    "stages": lambda: show_stages({"in": DIGITS[0], "out": MAPS[0], "end": MAPS[1, :2, :2]}, title="A title"),
    "hog": lambda: show_hog(
        DIGITS[0], gradients(DIGITS[:1])[0][0], cell_histograms(DIGITS[:1])[0], title="A title"
    ),
    "network": lambda: draw_network(layer_table(LeNet(), (1, 28, 28)), (1, 28, 28), title="A title"),
    "training by epoch": lambda: show_training(HISTORY, title="A title"),
    "training by step": lambda: show_training(HISTORY, STEPS, title="A title"),
}


def texts(figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


def said(figure) -> str:
    return "\n".join(text.get_text() for text in texts(figure))


def images(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_has_a_title_and_labelled_axes(name, draw):
    figure = draw(name)
    assert "A title" in said(figure)
    with_axes = [axes for axes in figure.axes if axes.axison]
    assert name in ("network", "rows of digits") or any(
        axes.get_xlabel() and axes.get_ylabel() for axes in with_axes
    )


@pytest.mark.parametrize("name", IMAGES)
def test_no_text_is_cut_off_or_written_over_another(name, draw, check_text):
    check_text(draw(name))


def test_a_grid_shows_each_image_once_with_its_caption(draw):
    figure = draw("digits")
    np.testing.assert_array_equal(np.stack(images(figure)), DIGITS.numpy())
    for number, (image, caption) in enumerate(zip(figure.axes[0].images, figure.axes[0].texts, strict=True)):
        left, right, _, top = image.get_extent()
        assert caption.get_text() == f"{number}\nsure"
        x, y = caption.get_position()
        assert left < x < right and y < top  # above its own image; rows count downwards


def test_signed_maps_share_a_scale_on_which_zero_is_white(draw):
    figure = draw("maps")
    shown = figure.axes[0].images
    np.testing.assert_array_equal(np.stack([image.get_array() for image in shown]), MAPS.numpy())
    most = MAPS.abs().max().item()
    assert {image.get_clim() for image in shown} == {(-most, most)}


def test_the_numbers_are_those_in_the_frame(draw):
    figure = draw("numbers")
    whole, part = figure.axes
    numbers = np.array([int(text.get_text()) for text in part.texts]).reshape(9, 9)
    np.testing.assert_array_equal(numbers, DIGITS[0, 3:12, 7:16])
    frame = whole.patches[-1].get_bbox()
    assert (frame.x0, frame.y0, frame.width) == (6.5, 2.5, 9)
    # Each number stands in the pixel that it is the value of.
    first = part.texts[0].get_position()
    assert first == (7, 3)


def test_a_weighted_sum_shows_products_and_their_sum(draw):
    figure = draw("weighted sum")
    patch, kernel, products = images(figure)
    np.testing.assert_allclose(products, patch * kernel)
    assert f"{products.sum():.2f}" in said(figure)
    assert "-0.00" not in said(figure)


def test_stages_keep_one_size_of_a_pixel(draw):
    figure = draw("stages")
    sizes = []
    for axes in figure.axes:
        (left, low), (right, high) = axes.transData.transform([(0, 0), (1, 1)])
        sizes += [abs(right - left), abs(high - low)]
    np.testing.assert_allclose(sizes, sizes[0], rtol=0.15)


def test_the_network_is_drawn_with_its_sizes_and_parameters(draw):
    drawing = said(draw("network"))
    for size in ("1 × 28 × 28", "20 × 24 × 24", "20 × 12 × 12", "50 × 8 × 8", "50 × 4 × 4", "500", "10"):
        assert f"\n{size}\n" in f"\n{drawing}\n"
    for parameters in ("520", "25,050", "400,500", "5,010"):
        assert parameters in drawing


def test_training_curves_stand_where_the_epochs_end(draw):
    by_epoch, by_step = draw("training by epoch"), draw("training by step")
    lines = {line.get_label(): line.get_xydata() for line in by_epoch.axes[0].lines}
    np.testing.assert_allclose(lines["training"], [(1, 1), (2, 1 / 2), (3, 1 / 3)])
    lines = {line.get_label(): line.get_xydata() for line in by_step.axes[0].lines}
    np.testing.assert_allclose(lines["training, each step"][:, 1], STEPS)
    np.testing.assert_allclose(lines["validation digits"], [(30, 1.1), (60, 1.1 / 2), (90, 1.1 / 3)])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("five sizes", ["40", "80", "160", "320", "640"]),
        ("eight sizes", ["40", "80", "160", "320", "640", "1,280", "", "3,619"]),
    ],
)
def test_of_two_values_that_would_touch_on_a_logarithmic_axis_the_right_one_is_written(name, shown, draw):
    axes = draw(name).axes[0]
    assert list(axes.get_xticks()) == SIZES[: len(shown)]
    assert [label.get_text() for label in axes.get_xticklabels()] == shown
