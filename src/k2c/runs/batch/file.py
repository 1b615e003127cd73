"""A batch's YAML file: its form, and every problem in it with its line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ByteSize, Field, ValidationError, model_validator

from k2c._system.printable import printable
from k2c._system.yaml_file import Place, open_yaml
from k2c.course.parameters import Strict
from k2c.course.syllabus import Lecture, ParameterError, Value, load_syllabus
from k2c.errors import K2CError, unknown
from k2c.runs.batch.sweep import (
    Budget,
    Distribution,
    Prune,
    RandomSweep,
    SearchSweep,
    Seconds,
    Sweep,
    Values,
)
from k2c.runs.execution.limits import Limits

MOST_PROBLEMS = 20  # that are listed; somebody mends them from the top


class LimitsForm(Strict):
    """What a run may take: `time: 10 min`, `memory: 2 GB`, `retries: 1`."""

    time: Seconds | None = None
    memory: Annotated[ByteSize, Field(ge=1_000_000)] | None = None
    retries: int = Field(default=0, ge=0, le=10)

    def limits(self) -> Limits:
        """Return the limits on one run."""
        return Limits(self.time, int(self.memory) if self.memory else None)


class BatchFile(Strict):
    """A batch as its file describes it.

    Attributes
    ----------
    lecture
        The lecture's name, or the start of it.
    profile
        Whose settings are the base.
    fixed
        Parameters that are the same in every run.
    sweep
        Parameters that vary.
    repeats
        One more parameter, with each of whose values every setting is run: `seed: [0, 1, 2]`.
    filter
        Which settings to keep: an expression of parameters, such as `blur + label_noise <= 1`.
    limits
        What a run may take.
    show
        The result that the report shows first, by its name; the one that the sweep moves most when it is empty.
    """

    lecture: str
    profile: Literal["smoke", "lecture", "full"] = "lecture"
    fixed: dict[str, Value] = Field(default_factory=dict)
    sweep: Sweep | None = None
    repeats: Annotated[dict[str, Values], Field(min_length=1, max_length=1)] | None = None
    filter: str = ""
    limits: LimitsForm = LimitsForm()
    show: str = ""

    @model_validator(mode="after")
    def _search_alone(self) -> "BatchFile":
        search = self.sweep.search if self.sweep else None
        if search and self.filter:
            raise ValueError("a search takes no filter: narrow what its parameters are drawn from")
        if search and search.prune and self.repeats:
            raise ValueError(
                "a search either repeats its settings or ends runs early: leave out repeats or prune"
            )
        return self


@dataclass(frozen=True, order=True)
class Problem:
    """Something wrong in a batch file.

    Attributes
    ----------
    line
        The line that it stands in, from 1.
    message
        What is wrong, and what is allowed.
    """

    line: int
    message: str


def read_batch(path: Path, base: Path | None = None) -> BatchFile:
    """Read a batch file, checked against the syllabus; the lecture's name is completed.

    Parameters
    ----------
    path
        The file.
    base
        The folder that its relative paths start from; its own by default.

    Raises
    ------
    K2CError
        Listing every problem with its line.
    """
    try:
        file = open_yaml(path)
    except OSError as error:
        raise K2CError(f"{printable(path)} cannot be read as a batch: {error.strerror}.") from error
    content = file.content
    if not isinstance(content, dict):
        raise K2CError(f"{printable(path)} is not a batch: it needs at least the entry `lecture: NAME`.")
    if isinstance(content.get("lecture"), int):
        content["lecture"] = f"{content['lecture']:02d}"  # `lecture: 05` is a number
    batch = None
    problems = [Problem(line, f"{name} is given twice.") for line, name in file.twice]
    try:
        batch = BatchFile.model_validate(content)
    except ValidationError as error:
        problems += [Problem(file.line(entry["loc"]), _sentence(entry)) for entry in error.errors()]
    # What has the right form is checked against the syllabus also when something else has not.
    against = _against_syllabus(content, base or path.parent)
    problems += [Problem(file.line(place), message) for place, message in against]
    if problems or batch is None:
        raise K2CError(f"{printable(path)} is not a batch that can run:\n{_listed(problems)}")
    return batch.model_copy(update={"lecture": load_syllabus().lecture_name(batch.lecture)})


def _listed(problems: list[Problem]) -> str:
    lines = [f"  line {problem.line}: {problem.message}" for problem in sorted(set(problems))]
    more = len(lines) - MOST_PROBLEMS
    return "\n".join(lines[:MOST_PROBLEMS] + ([f"  and {more:,} more."] if more > 0 else []))


_FORMS: dict[Place, type[BaseModel]] = {
    (): BatchFile,
    ("sweep",): Sweep,
    ("limits",): LimitsForm,
    ("sweep", "random"): RandomSweep,
    ("sweep", "search"): SearchSweep,
    ("sweep", "search", "budget"): Budget,
    ("sweep", "search", "prune"): Prune,
}


_ONE_VALUE = {
    "bool_type",
    "bool_parsing",
    "int_type",
    "int_parsing",
    "int_from_float",
    "float_type",
    "string_type",
}
_KINDS = ("bool", "int", "float", "str")  # of a value: pydantic reports each that it is not
_SIZE = "a size is a number of bytes, or text such as 500 MB or 2 GB"
_PLAINER = {
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
    "model_type": "here stand entries, each with its name and a colon",
    "int_parsing_size": "the number is too large",
}


def _sentence(entry: Any) -> str:
    *around, name = entry["loc"] or ("",)
    if entry["type"] == "extra_forbidden":
        fields = _FORMS.get(tuple(around), Distribution).model_fields
        return unknown("entry", str(name), [field.alias or key for key, field in fields.items()])
    if entry["type"] == "missing":
        return f"the entry {name} is missing."
    message = _PLAINER.get(entry["type"], entry["msg"].removeprefix("Value error, "))
    names = [str(part) for part in entry["loc"] if not str(part).startswith(("function-", "constrained-"))]
    if entry["type"] in _ONE_VALUE and name in _KINDS:
        names, message = names[:-1], "here stands one value: a number, text, true or false"
    return f"{printable('.'.join(names))[:100]}: {message[:1].lower()}{message[1:]}."


def _against_syllabus(content: dict[str, Any], base: Path) -> Iterator[tuple[Place, str]]:
    """Yield what the syllabus does not allow, with its place in the file."""
    try:
        lecture = load_syllabus().lecture(str(content.get("lecture", "")))
    except ParameterError as error:
        if "lecture" in content:
            yield ("lecture",), str(error)
        return
    seen: dict[str, str] = {}
    for place, name, value in _settings(content):
        part = place[0] if place[0] != "sweep" else "sweep"
        if seen.setdefault(name, str(part)) != part:
            yield place, f"{name} is set in {seen[name]} already; a parameter has one place."
        yield from ((place, message) for message in _not_allowed(lecture, name, value, base))
        if place[-2:-1] in (("uniform",), ("log_uniform",)) and _is_whole(lecture, name):
            yield place, f"{name} is a whole number: draw it with integers: [least, greatest]."


def _is_whole(lecture: Lecture, name: str) -> bool:
    return name in lecture.parameters and lecture.parameters[name].type == "int"


def _not_allowed(lecture: Lecture, name: str, value: Any, base: Path) -> Iterator[str]:
    try:
        resolved = lecture.resolve({name: value})
        if not lecture.parameters[name].inside:  # else it takes the folder to tell, which the plan has
            lecture.locate(resolved, base)
    except ParameterError as error:
        yield str(error)


def _settings(content: dict[str, Any]) -> Iterator[tuple[Place, str, Any]]:
    """Yield place, parameter and value of everything in a file that names a parameter."""
    sweep = _mapping(content.get("sweep"))
    for name, value in _mapping(content.get("fixed")).items():
        yield ("fixed", name), name, value
    for where in (("repeats",), ("sweep", "grid"), ("sweep", "zip")):
        lists = _mapping(content.get("repeats") if len(where) == 1 else sweep.get(where[1]))
        for name, values in lists.items():
            for index, value in enumerate(values if isinstance(values, list) else ()):
                yield (*where, name, index), name, value
    listed = sweep.get("list")
    for index, entry in enumerate(listed if isinstance(listed, list) else ()):
        for name, value in _mapping(entry).items():
            yield ("sweep", "list", index, name), name, value
    for how in ("random", "search"):
        for name, drawn in _mapping(_mapping(sweep.get(how)).get("parameters")).items():
            for kind, values in _mapping(drawn).items():
                for index, value in enumerate(values if isinstance(values, list) else ()):
                    yield ("sweep", how, "parameters", name, kind, index), name, value


def _mapping(value: Any) -> dict[str, Any]:
    return {str(key): entry for key, entry in value.items()} if isinstance(value, dict) else {}
