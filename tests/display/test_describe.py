"""What an image shows, in words."""

import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from k2c.display.describe import describe_figure


def test_a_chart_tells_its_title_its_axes_and_where_its_lines_lead():
    figure = Figure()
    axes = figure.subplots()
    axes.plot([1, 2, 3], [0.9, 0.5, 0.25], label="training")
    axes.axhline(0.4)  # matplotlib's own label, "_child1", is nobody's business
    axes.axhline(0.3, label="the counts")
    axes.axvline(2, label="chosen")
    axes.set_title("The cost falls", loc="left")
    axes.set(xlabel="epoch", ylabel="cost")
    told = describe_figure(figure)
    assert (
        told
        == "The cost falls: line chart of cost over epoch; training from 0.9 to 0.25, the counts at 0.3, chosen."
    )


def test_bars_tell_their_lengths_and_small_tables_of_colours_their_numbers():
    figure = Figure()
    left, right = figure.subplots(1, 2)
    left.bar(["easy", "hard"], [0.88, 0.714], label="words")
    right.imshow([[3, 1], [0, 4]])
    right.set(xlabel="predicted", ylabel="true")
    for row, column, number in ((0, 0, 3), (0, 1, 1), (1, 0, 0), (1, 1, 4)):
        right.text(column, row, str(number))
    told = describe_figure(figure)
    assert told == "2 panels. bar chart; words 0.88 0.714; image of true over predicted; with 3 1 0 4."


def test_many_panels_are_counted_and_a_colour_bar_is_no_panel():
    figure = Figure()
    panels = figure.subplots(2, 5)
    for number, axes in enumerate(panels.flat):
        drawn = axes.imshow(np.eye(3))
        axes.set_title(f"digit {number}")
    figure.colorbar(drawn, ax=panels)
    figure.suptitle("Ten digits")
    told = describe_figure(figure)
    assert told.startswith("Ten digits. 10 panels. digit 0: image; digit 1: image;")
    assert told.endswith("and 4 more.")


@pytest.mark.parametrize("show", ["plt.show()", "style.show_compact()", "figure"])
def test_a_notebook_keeps_the_words_beside_the_image(show):
    cells = [
        "import matplotlib.pyplot as plt\nfrom k2c.display import style\nstyle.use_style()",
        f"figure, axes = plt.subplots()\naxes.set_title('The cost falls')\naxes.bar([1], [2])\n{show}",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    nbformat.validate(notebook)
    kind = "image/jpeg" if "compact" in show else "image/png"
    shown = [output for output in notebook.cells[1].outputs if kind in output.get("data", {})]
    assert shown
    for output in shown:
        assert output.metadata[kind]["alt"] == "The cost falls: bar chart; 2."
