"""The images about kernels: what they draw is what was given, readable on any device's numbers."""

import re

import matplotlib
import numpy as np
import pandas as pd
import pytest

matplotlib.use("Agg")

from matplotlib.text import Text

from k2c.display import kernels as images
from k2c.errors import K2CError
from k2c.kernels import SPECIFICATIONS, Ceilings, Roofline, Trace

CPU, GPU = Ceilings(1e10, 1e11), Ceilings(3e12, 5e13)
SIZES = [10**power for power in range(2, 8)]


def a_trace(arrays, is_local, entries):
    array, write, index, item = np.array(entries).T
    return Trace(arrays, is_local, array, write.astype(bool), index, item, 0 * index, 0 * index)


def ladder(roof, work, moved, *shares):
    fast = roof.operations_per_second
    return {
        f"step {k}": Roofline("x", work, moved, work / fast / share, roof) for k, share in enumerate(shares)
    }


PLAIN = a_trace(("a", "c"), (False, False), [(0, 0, 5, 0)] * 3 + [(0, 0, 4, 1), (1, 1, 0, 0)])
TILED = a_trace(("a", "c", "tile"), (False, False, True), [(0, 0, 5, 0), (1, 1, 0, 0), (2, 0, 1, 0)])


def roofline(roof):
    streams = {"vector_add": Roofline("x", 100, 1200, 1200 / roof.bytes_per_second, roof)}
    products = ladder(roof, 10**9, 10**7, 0.01, 0.011, 0.9, 0.92)  # two pairs as close as they come
    convolutions = ladder(roof, 15 * 10**8, 10**7, 0.012, 1.3)
    families = {"streams": streams, "products": products, "convolutions": convolutions}
    images.show_roofline(roof, families, title="A title")


IMAGES = {
    "launch": lambda: images.draw_launch(1000, 256, title="A title"),
    "launch of one group": lambda: images.draw_launch(7, 64, title="A title"),
    "tree": lambda: images.draw_tree([5, 4, 8, 3, 1, 2, 7, 6], title="A title"),
    "answers": lambda: images.show_answers({"with": [10] * 9, "without": [3, 4, 10]}, 10, title="A title"),
    "accesses": lambda: images.draw_accesses(
        {"plain": PLAIN, "tiled": TILED}, {"a": (3, 3), "c": (3, 3), "tile": (2, 2)}, title="A title"
    ),
    "times": lambda: images.show_times(
        pd.DataFrame({"kernel": np.add(1e-5, np.multiply(SIZES, 1e-9)), "predicted": 1e-5}, index=SIZES),
        title="A title",
        xlabel="numbers",
    ),
    "roofline of a CPU": lambda: roofline(CPU),
    "roofline of a GPU": lambda: roofline(GPU),
    "synthetics": lambda: images.show_both_runs(
        {"one": [2.0, 1.0, 0.5], "other": [2.0, 1.1, 0.5]}, title="A title", xlabel="step", ylabel="loss"
    ),
    "layers": lambda: images.show_layers(
        pd.DataFrame({"ours": [1e-3, 2e-4], "torch": [4e-2, 5e-6], "predicted": [1e-4, 1e-6]}, ["a", "b"]),
        title="A title",
    ),
}


def texts(figure):
    ticks = {id(t) for axes in figure.axes for t in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    found = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    return [text for text in found if id(text) not in ticks]


@pytest.mark.parametrize("name", IMAGES)
def test_every_text_is_on_the_page_and_over_no_other(name, draw):
    figure = draw(name)
    renderer, page = figure.canvas.get_renderer(), figure.bbox
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts(figure)]
    assert "A title" in [text for text, _ in boxes]
    for number, (text, box) in enumerate(boxes):
        inside = (
            page.x0 - 1 <= box.x0
            and box.x1 <= page.x1 + 1
            and page.y0 - 1 <= box.y0
            and box.y1 <= page.y1 + 1
        )
        assert inside, f"{text!r} is cut off"
        for other, other_box in boxes[:number]:
            assert not box.padded(-1).overlaps(other_box.padded(-1)), f"{text!r} lies over {other!r}"


def test_a_launch_shows_which_work_items_of_the_last_group_are_idle(draw):
    last = draw("launch").axes[-1]
    assert int(np.nansum(last.images[0].get_array())) == 1000 - 3 * 256
    assert "24 idle" in last.get_xlabel()


def test_a_tree_ends_with_the_sum(draw):
    numbers = [
        text.get_text() for text in draw("tree").axes[0].texts if re.fullmatch(r"\d+", text.get_text())
    ]
    assert numbers[-8] == "36"


def test_accesses_are_counted_element_by_element(draw):
    plain, tiled = draw("accesses").axes[0], draw("accesses").axes[3]
    assert plain.images[0].get_array().filled(0).tolist() == [[0, 0, 0], [0, 1, 3], [0, 0, 0]]
    assert tiled.images[0].get_array().filled(0).sum() == 1
    assert plain.get_xlabel() == "4 reads\n(global)"


def test_every_kernel_of_the_package_can_be_shown_alone():
    for name in SPECIFICATIONS:
        text = images.kernel_source(name)
        assert (
            text.removeprefix("VECTORS\n").startswith(f"KERNEL {name}(")
            and text.count("KERNEL") == 1
            and text.endswith("}")
        )
    with pytest.raises(K2CError, match="relu"):
        images.kernel_source("rellu")
