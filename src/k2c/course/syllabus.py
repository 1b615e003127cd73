"""The course as data: lectures, their parameters and profiles, read from `course/syllabus.yml`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from k2c._system.paths import PROJECT_MARK, find_own, project_root
from k2c._system.printable import printable
from k2c._system.yaml_file import Place, YamlFile, open_yaml
from k2c.course.parameters import Parameter, ParameterError, Strict, Value
from k2c.errors import K2CError, unknown

PROFILES = ("smoke", "lecture", "full")


class Lecture(Strict):
    """One lecture: what it teaches, how long it takes, its parameters and profiles.

    `headline` is the result that a report of several runs opens on, by the name of a claim or a record.
    """

    title: str
    summary: str
    objectives: tuple[str, ...]
    minutes: int = Field(gt=0)
    headline: str = ""
    data: tuple[str, ...] = ()
    parameters: dict[str, Parameter]
    profiles: dict[Literal["smoke", "full"], dict[str, Value]]

    @model_validator(mode="after")
    def _profiles_are_allowed(self) -> "Lecture":
        for profile, values in self.profiles.items():
            try:
                self.resolve(values, where=f"profile {profile}")
            except ParameterError as error:
                raise ValueError(str(error)) from error
        return self

    def settings(self, profile: str = "lecture") -> dict[str, Value]:
        """Return every parameter's value in a profile (`smoke`, `lecture` or `full`)."""
        if profile not in PROFILES:
            raise ParameterError(unknown("profile", profile, PROFILES))
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        changes = {} if profile == "lecture" else self.profiles.get(profile, {})  # type: ignore[call-overload]
        return self.resolve(defaults | changes)

    def resolve(self, values: Mapping[str, Any], where: str = "") -> dict[str, Value]:
        """Check and convert parameter values; report every problem at once.

        Raises
        ------
        ParameterError
            Naming each unknown parameter with its nearest match, and each value that is not allowed.
        """
        problems, resolved = [], {}
        for name, value in values.items():
            try:
                resolved[name] = self._parameter(name).convert(name, value)
            except ParameterError as error:
                problems.append(str(error))
        if problems:
            raise ParameterError((f"{where}: " if where else "") + "\n".join(problems))
        return resolved

    def locate(self, values: Mapping[str, Value], base: Path) -> dict[str, Value]:
        """Return the values with every path made absolute, as a kernel that stands elsewhere needs it.

        Parameters
        ----------
        values
            Converted values, as of `resolve`.
        base
            The folder that relative paths start from. `~` is the user's home.

        Raises
        ------
        ParameterError
            Naming each path that leads nowhere, and what is there instead.
        """
        problems, located = [], dict(values)
        for name, parameter in self.parameters.items():
            if name not in values or not parameter.is_path(values[name]):
                continue
            bases = [base]
            if parameter.inside and self.parameters[parameter.inside].is_path(located[parameter.inside]):
                bases.insert(0, Path(str(located[parameter.inside])))  # as the loaders have it
            try:
                located[name] = str(find_own(name, str(values[name]), bases, parameter.choices))
            except K2CError as error:
                problems.append(str(error))
        if problems:
            raise ParameterError("\n".join(problems))
        return located

    def paths(self, values: Mapping[str, Value]) -> dict[str, Path]:
        """Return the parameters that name something of the user's own, with their paths."""
        return {
            name: Path(str(values[name]))
            for name, parameter in self.parameters.items()
            if parameter.is_path(values[name])
        }

    def profile_of(self, values: Mapping[str, Value]) -> str:
        """Return the profile whose settings these are, or `custom`."""
        for profile in ("lecture", "full", "smoke"):
            if dict(values) == self.settings(profile):
                return profile
        return "custom"

    def _parameter(self, name: str) -> Parameter:
        if name in self.parameters:
            return self.parameters[name]
        raise ParameterError(unknown("parameter", name, self.parameters))


class Syllabus(Strict):
    """All lectures, by the name of their notebook, in teaching order.

    Attributes
    ----------
    lectures
        Those whose entry is right.
    refused
        The others: what is wrong with each entry, and in which line. One that is half written stops no other lecture.
    """

    course: str
    lectures: dict[str, Lecture]
    refused: dict[str, str] = Field(default_factory=dict)

    def lecture(self, name: str) -> Lecture:
        """Return the lecture with this name; a number or a word of it is enough (see `lecture_name`)."""
        return self.lectures[self.lecture_name(name)]

    def lecture_name(self, name: str) -> str:
        """Complete a lecture's name.

        Parameters
        ----------
        name
            The notebook's name with or without `.ipynb` and its folder, the start of it, the lecture's number (`2` as
            well as `02`), or the start of a word of the name (`lenet`, `mnist`).

        Raises
        ------
        ParameterError
            When that is no lecture, or may be more than one, or the lecture's entry is refused.
        """
        found = self._complete(name)
        if found in self.refused:
            raise ParameterError(self.refused[found])
        return found

    def _complete(self, name: str) -> str:
        names = [*self.lectures, *self.refused]
        stem = Path(name).name.removesuffix(".ipynb")
        if stem in names:
            return stem
        stem = stem.lower()
        number = f"{int(stem):02d}_" if stem.isdecimal() and len(stem) < 9 else stem
        starts = [full for full in names if full.startswith(number)]
        words = [full for full in names if any(word.startswith(stem) for word in full.split("_"))]
        matches = (starts or words) if stem else []
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise ParameterError(
                f"The lecture {name!r} may be {' or '.join(matches)}. Write more of the name."
            )
        raise ParameterError(unknown("lecture", name, names))


def load_syllabus(path: Path | None = None) -> Syllabus:
    """Read and validate the syllabus (`course/syllabus.yml` of this project by default).

    Raises
    ------
    K2CError
        When the file cannot be read, or is wrong outside the lectures' entries; `Syllabus.refused` has those.
    """
    return _read_syllabus(path or project_root() / PROJECT_MARK)


@cache
def _read_syllabus(path: Path) -> Syllabus:
    file = open_yaml(path)
    content = dict(file.content) if isinstance(file.content, dict) else {}
    entries = content.get("lectures")
    refused = _given_twice(path, file)
    if isinstance(entries, dict):
        lectures = {}
        for name, entry in entries.items():
            try:
                lectures[name] = Lecture.model_validate(entry)
            except ValidationError as error:
                sentence = not_allowed(path, file, ("lectures", name), error)
                refused[name] = "\n".join(filter(None, (refused.get(name), sentence)))
        good = {name: lecture for name, lecture in lectures.items() if name not in refused}
        content = content | {"lectures": good, "refused": refused}
    try:
        return Syllabus.model_validate(content)
    except ValidationError as error:
        raise K2CError(not_allowed(path, file, (), error)) from error


def not_allowed(path: Path, file: YamlFile, place: Place, error: ValidationError) -> str:
    """Return the sentence on entries of a file of the course that its form does not allow, each with its line."""
    wrong = [((*place, *entry["loc"]), entry["msg"]) for entry in error.errors()]
    lines = "\n".join(f"  line {file.line(at)}: {'.'.join(map(str, at))}: {said}" for at, said in wrong)
    return f"{printable(path)} has entries that are not allowed:\n{lines}"


def _given_twice(path: Path, file: YamlFile) -> dict[str, str]:
    """Return the lectures in whose entry a name is given twice, with the sentence."""
    starts = {
        place[1]: line for place, line in file.lines.items() if len(place) == 2 and place[0] == "lectures"
    }
    refused = {}
    for line, name in file.twice:
        around = [lecture for lecture, start in starts.items() if start < line]
        sentence = f"{printable(path)} is not allowed: line {line}: {name} is given twice."
        if not around:
            raise K2CError(sentence)
        refused[str(around[-1])] = sentence
    return refused
