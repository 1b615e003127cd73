"""How much of the course a student has solved."""

import html
from dataclasses import dataclass
from typing import ClassVar

from k2c.course.exercise_log import outcomes
from k2c.course.exercises import load_solutions


@dataclass(frozen=True)
class Line:
    """A lecture's title and the status of each of its exercises: `right`, `wrong` or `not attempted`."""

    title: str
    statuses: dict[str, str]

    @property
    def solved(self) -> int:
        """The number of exercises that are solved."""
        return sum(status == "right" for status in self.statuses.values())


class CourseProgress:
    """A line per lecture; a notebook shows it as a table, a terminal as text.

    Parameters
    ----------
    lines
        The lectures in order.
    """

    MARKS: ClassVar[dict[str, str]] = {"right": "●", "wrong": "◐", "not attempted": "○"}

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines

    def __repr__(self) -> str:
        width = max((len(line.title) for line in self.lines), default=0)
        return "\n".join(
            f"{line.title:{width}}  {self._marks(line)}  {line.solved} of {len(line.statuses)} solved"
            for line in self.lines
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left;min-width:12em">{html.escape(line.title)}</th>'
            f'<td><progress value="{line.solved}" max="{max(1, len(line.statuses))}" style="width:6em" '
            f'aria-label="{line.solved} of {len(line.statuses)} solved"></progress></td>'
            f"<td>{line.solved} of {len(line.statuses)}</td>"
            f'<td style="text-align:left">{self._named(line)}</td></tr>'
            for line in self.lines
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("Lecture", "", "Solved", "Exercises"))
        return (
            "<table><caption>Exercises: ● solved, ◐ tried, ○ not attempted yet</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        )

    def _marks(self, line: Line) -> str:
        return "".join(self.MARKS[status] for status in line.statuses.values())

    def _named(self, line: Line) -> str:
        return " ".join(
            f'<span title="{status}" style="white-space:nowrap">{self.MARKS[status]} {html.escape(name)}</span>'
            for name, status in line.statuses.items()
        )


def progress() -> CourseProgress:
    """Return what is solved and what is left, a line per lecture. It is kept when kernels and notebooks are closed."""
    # pydantic loads here, so that `import k2c` stays cheap.
    from k2c.course.syllabus import load_syllabus

    done = outcomes()
    titles = {name: lecture.title for name, lecture in load_syllabus().lectures.items()}
    return CourseProgress(
        [
            Line(
                titles.get(lecture, lecture),
                {name: done.get(name, {}).get("status", "not attempted") for name in exercises},
            )
            for lecture, exercises in load_solutions().items()
        ]
    )
