"""Widgets of the lectures: to type, draw, choose and slide; a still picture where no front end runs."""

from k2c.display.widgets.digits import DigitPad, read_digit
from k2c.display.widgets.messages import MessageBox, light_up

__all__ = ["DigitPad", "MessageBox", "light_up", "read_digit"]
