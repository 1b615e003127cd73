"""A terminal that says it has no columns shows everything all the same."""

import pytest


@pytest.mark.parametrize("columns", ["0", "1", "nonsense", ""])
def test_a_terminal_without_a_width_has_80_columns(k2c, tiny_course, columns):
    shown = k2c("list", env={"COLUMNS": columns})
    assert shown.returncode == 0
    assert "A tiny lecture" in shown.stdout
