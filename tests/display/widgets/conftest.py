"""Strokes of a hand, shared with the tests in a browser."""

import json
from pathlib import Path

import pytest

STROKES = Path(__file__).parents[2] / "browser/strokes.json"


@pytest.fixture
def strokes() -> dict[str, list]:
    """Return ten digits as a hand draws them, as strokes by digit."""
    return json.loads(STROKES.read_text())
