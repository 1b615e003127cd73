"""What holds for every widget: an error is seen where it happened, and training can be watched and stopped."""

from playwright.sync_api import expect

BREAKS = """
from matplotlib.figure import Figure
from k2c.display.widgets.eyes import SyntheticEye


class Frail(SyntheticEye):
    def answer(self, asked):
        if asked["grade"] == 4:
            raise ZeroDivisionError("division by zero")
        super().answer(asked)


Frail(size=64)
"""


def test_an_answer_that_fails_shows_its_error_and_the_kernel_lives_on(open_notebook):
    notebook = open_notebook("breaks", ("widget", BREAKS), ("after", "1 + 1"))
    notebook.run_all()
    notebook.wait_until_done()
    cell = notebook.cell("widget")
    grade = cell.get_by_label("Grade")
    expect(cell.locator(".k2c-caption")).to_contain_text("Grade 3 (severe)")
    grade.press("End")
    expect(cell.get_by_role("alert")).to_contain_text("ZeroDivisionError: division by zero")
    notebook.image("error")
    grade.press("Home")
    expect(cell.locator(".k2c-caption")).to_contain_text("Grade 0 (none)")
    expect(cell.get_by_role("alert")).to_have_count(0)
    notebook.run_all()
    notebook.wait_until_done()
