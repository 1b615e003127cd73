"""What holds for every widget: an error is seen where it happened, and training can be watched and stopped."""

from playwright.sync_api import expect

BREAKS = """
import ipywidgets
from k2c.display.widgets.base import LectureWidget


class Reciprocal(LectureWidget):
    def __init__(self):
        self.number = ipywidgets.IntText(2, description="Number")
        super().__init__([self.number], ipywidgets.HTML())

    def still(self):
        return {"text/plain": "a number"}

    def show(self):
        self.view.value = f"one over it: {1 / self.number.value:g}"


Reciprocal()
"""


def test_a_callback_that_raises_shows_its_error_and_the_kernel_lives_on(open_notebook):
    notebook = open_notebook("breaks", ("widget", BREAKS), ("after", "1 + 1"))
    notebook.run_all()
    notebook.wait_until_done()
    cell = notebook.cell("widget")
    box = cell.get_by_label("Number")
    expect(cell).to_contain_text("one over it: 0.5")
    box.fill("0")
    box.press("Enter")
    expect(cell.get_by_role("alert")).to_contain_text("ZeroDivisionError: division by zero")
    notebook.image("error")
    box.fill("4")
    box.press("Enter")
    expect(cell).to_contain_text("one over it: 0.25")
    expect(cell.get_by_role("alert")).to_have_count(0)
    notebook.run_all()
    notebook.wait_until_done()
