"""Tables that people open in a spreadsheet: what somebody else wrote must not be computed there."""

import re
from typing import Any

from k2c._system.printable import printable

_FORMULA = ("=", "+", "-", "@")


def spreadsheet_cell(value: Any) -> Any:
    r"""Return a value for a CSV file: text with an apostrophe before what a spreadsheet would compute.

    Control characters become escapes, line ends and tabs spaces; what is no text stays as it is.

    >>> [spreadsheet_cell(value) for value in ("=HYPERLINK(A1)", "\t=1", "a\x1b[2J.png", -1)]
    ["'=HYPERLINK(A1)", "' =1", 'a\\x1b[2J.png', -1]
    """
    if not isinstance(value, str):
        return value
    text = printable(re.sub(r"[\t\r\n\v\f]+", " ", value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
