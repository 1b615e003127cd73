"""Pages from templates, for reports, grades, lectures and slides."""

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from k2c._system.printable import printable

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """Fill a template of `k2c/runs/templates`; every value is escaped, and `when` is the time now.

    What cannot be seen in a value (control characters, marks that turn the direction of reading) is written out.
    """
    when = datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z")
    return _environment().get_template(template).render(when=when, **values)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else printable(value, lines=True),
    )
    environment.filters.update(
        seconds=format_seconds,
        number=_format_number,
        bytes=_format_bytes,
        printable=printable,
        most_first=_most_first,
    )
    return environment


def format_seconds(seconds: float) -> str:
    """Format a duration for people: `8.4 s`, `2 min 05 s`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _format_bytes(size: int) -> str:
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:.3g} {unit}"
    return f"{size} B"


def _most_first(left_out: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    """Return what was left out by reason, the most frequent reason first."""
    return sorted(left_out.items(), key=lambda entry: -len(entry[1]))


def _format_number(value: Any) -> str:
    if value is None:  # recorded as not measurable
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
