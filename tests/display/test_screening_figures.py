"""The images of lecture 5: what they draw is what they were given, labelled, and nothing lies over anything."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib.text import Text

from k2c.display.fundus import show_attention, show_lesions
from k2c.display.screening import (
    show_auc_grid,
    show_costs,
    show_differences,
    show_epochs,
    show_risk,
    show_roc,
    show_screening_stages,
    show_thresholds,
)
from k2c.display.style import COLOURS
from k2c.metrics import operating_point, risk_groups, roc_auc, screening_table
from k2c.training import History

RNG = np.random.default_rng(0)
LABELS = np.repeat([0, 1], [270, 30])
RISK = 1 / (1 + np.exp(-(RNG.normal(size=300) + 2 * LABELS - 2)))
POINTS = {
    "90%": operating_point(RISK, LABELS, specificity=0.9),
    "95%": operating_point(RISK, LABELS, specificity=0.95),
}
TABLE = screening_table({"all negative": np.zeros(300), "a network": RISK}, LABELS)
DIFFERENCES = pd.DataFrame(
    {"difference": [0.02, 0.1], "low": [-0.01, 0.05], "high": [0.05, 0.15]},
    index=["weighted - plain", "sharp - blurred"],
)
GRID = pd.DataFrame([[0.99, 0.9], [0.9, 0.61]], index=[0.0, 1.0], columns=[0.0, 0.4])
HISTORY = History([{"epoch": k, "train_loss": 1 / k, "accuracy": 1 - 0.1 / k} for k in (1, 2, 3)])
ANOTHER = History([{"epoch": k, "train_loss": 2 / k, "accuracy": 1 - 0.3 / k} for k in (1, 2, 3)])
EYE = RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8)
SPOT = np.zeros((64, 64), bool)
SPOT[30:33, 10:13] = True
MASKS = {"haemorrhage": SPOT, "exudate": SPOT.T, "cotton_wool": np.zeros_like(SPOT)}

IMAGES = {
    "epochs": lambda: show_epochs(
        {"plain": HISTORY, "weighted": HISTORY}, {"train_loss": "loss", "accuracy": "accuracy"},
        title="A title", log_y=["train_loss"],
    ),
    "seeds": lambda: show_epochs(
        {"seed 0": HISTORY, "seed 1": ANOTHER}, {"accuracy": "accuracy"}, title="A title", mean=True
    ),
    "stages": lambda: show_screening_stages(TABLE, title="A title"),
    "roc": lambda: show_roc({"a network": RISK, "a coin": RNG.random(300)}, LABELS, points=POINTS, title="A title"),
    "thresholds": lambda: show_thresholds(RISK, LABELS, POINTS, title="A title"),
    "risk": lambda: show_risk({"as it says": risk_groups(RISK, LABELS)}, title="A title"),
    "costs": lambda: show_costs(RISK, LABELS, (1, 10), title="A title"),
    "grid": lambda: show_auc_grid(GRID, title="A title", xlabel="blur", ylabel="copied"),
    "differences": lambda: show_differences({"synthetic": DIFFERENCES, "real": DIFFERENCES}, title="A title"),
    "corrected": lambda: show_differences({"eyes": DIFFERENCES.assign(p_holm=[0.9, 0.06])}, title="A title"),
    "lesions": lambda: show_lesions(EYE, MASKS, title="A title"),
    "attention": lambda: show_attention(
        [EYE, EYE], [np.eye(7), -np.eye(7)], [SPOT, MASKS["cotton_wool"]], ["one", "two"], title="A title"
    ),
}  # fmt: skip
PHOTOGRAPHS = {"lesions", "attention"}


def texts(figure):
    return [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]


@pytest.mark.parametrize("name", IMAGES)
def test_every_image_has_a_title_and_labelled_axes(name, draw):
    figure = draw(name)
    assert "A title" in {text.get_text() for text in texts(figure)}
    with_axes = [axes for axes in figure.axes if axes.axison]
    assert name in PHOTOGRAPHS or all(axes.get_xlabel() and axes.get_ylabel() for axes in with_axes)


@pytest.mark.parametrize("name", IMAGES)
def test_no_text_is_cut_off_or_written_over_another(name, draw, check_text):
    check_text(draw(name))


def test_the_mean_of_the_seeds_is_drawn_over_them(draw):
    *seeds, mean = draw("seeds").axes[0].lines
    assert len(seeds) == 2
    assert mean.get_label() == "their mean"
    assert mean.get_ydata() == pytest.approx([1 - 0.2 / k for k in (1, 2, 3)])


def test_the_area_under_the_drawn_roc_curve_is_the_auc(draw):
    curve = next(line for line in draw("roc").axes[0].lines if line.get_label() == "a network")
    alarms, found = np.array(curve.get_xydata()).T
    assert np.trapezoid(found, alarms) == pytest.approx(roc_auc(RISK, LABELS), abs=0.002)
    dot = next(line for line in draw("roc").axes[0].lines if line.get_label() == "90%")
    assert dot.get_xydata()[0] == pytest.approx([1 - POINTS["90%"].specificity, POINTS["90%"].sensitivity])


def test_stages_stand_in_their_order_with_their_intervals(draw):
    axes = draw("stages").axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["all negative", "a network"]
    dots = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"]
    assert [x for x, _ in dots] == pytest.approx(list(TABLE["ROC AUC"]))
    assert dots[0][1] > dots[1][1]  # the first one on top


def test_the_grid_shows_its_numbers_in_their_cells(draw):
    axes = draw("grid").axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "0.99", (1, 0): "0.90", (0, 1): "0.90", (1, 1): "0.61"}
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0%", "40%"]


def test_only_lesions_that_are_there_are_named(draw):
    names = {text.get_text() for text in texts(draw("lesions"))}
    assert {"haemorrhage", "exudate"} <= names and "cotton wool" not in names
    outlined = draw("lesions").axes[1].collections
    assert len(outlined) == 2


def test_the_map_lies_on_its_photograph(draw):
    first = draw("attention").axes[2]
    grey, heat = first.images
    assert grey.get_extent() == heat.get_extent()
    assert heat.get_array().max() == 1
    nothing = draw("attention").axes[3].images[1]
    assert nothing.get_array().max() == 0


def test_a_difference_within_the_noise_is_grey(draw):
    axes = draw("differences").axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["sharp - blurred", "weighted - plain"]
    colours = {line.get_ydata()[0]: line.get_color() for line in axes.lines if line.get_marker() == "o"}
    assert colours == {0: COLOURS["blue"], 1: COLOURS["grey"]}


def test_a_corrected_p_value_counts_for_more_than_the_interval(draw):
    dots = [line for line in draw("corrected").axes[0].lines if line.get_marker() == "o"]
    assert [line.get_color() for line in dots] == [COLOURS["grey"]] * 2
    assert "beyond the noise: corrected p below 0.05" in {
        text.get_text() for text in texts(draw("corrected"))
    }
