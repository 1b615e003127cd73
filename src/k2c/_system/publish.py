"""A line of output that carries a result: nbval compares the line, `k2c.runs` collects the result."""

import sys
from typing import Any

RESULT_MIME = "application/vnd.k2c.result+json"


def publish(line: str, result: dict[str, Any]) -> None:
    """Print a line and keep a result with it: in a notebook, in the metadata of the output that shows the line."""
    # A notebook has a display to publish to; a plain script gets the line alone, without paying for IPython's import.
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(line)
        return
    from IPython.display import display

    display({"text/plain": line}, metadata={RESULT_MIME: result}, raw=True)
