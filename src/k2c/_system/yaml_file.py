"""YAML files of the course and of its users: plain values within bounds, and the line of everything that is wrong.

Values are read by the rules of YAML 1.2: `no` and `on` are text, `010` is ten, `1e-5` is a number and a date is text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from k2c._system.plain_file import UnreadableError, read_text
from k2c._system.printable import printable

Place = tuple[str | int, ...]
MOST_VALUES = 100_000
DEEPEST = 40
_TAG = "tag:yaml.org,2002:"
_CONTROLS = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_FORMS = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "merge": r"<<",
}
_TAGS = {
    None,
    "!",
    f"{_TAG}str",
    f"{_TAG}map",
    f"{_TAG}seq",
}  # that somebody may write; the others are resolved


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers: ClassVar[dict[str | None, list[Any]]] = {}

    def whole_number(self, node: yaml.ScalarNode) -> int:
        """Return an int: a leading zero makes none octal."""
        base = {"0x": 16, "0o": 8}.get(node.value[:2], 10)
        try:
            return int(node.value, base)
        except ValueError:  # Python's bound on the time that it takes
            what = f"a number of {len(node.value):,} digits is too long"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None


for _name, _form in _FORMS.items():
    _Loader.add_implicit_resolver(f"{_TAG}{_name}", re.compile(rf"(?:{_form})\Z"), None)
_Loader.add_constructor(f"{_TAG}int", _Loader.whole_number)


@dataclass(frozen=True)
class YamlFile:
    """What a YAML file holds.

    Attributes
    ----------
    text, content
        As it is written, and its values. Every key is text.
    lines
        The line of every entry, from 1, by its place: the keys and list positions that lead to it.
    twice
        Line and name of the keys that their mapping has already; their values are not in the content.
    """

    text: str
    content: Any
    lines: dict[Place, int]
    twice: list[tuple[int, str]]

    def line(self, place: Place) -> int:
        """Return the line of an entry, or of the nearest one around it that is there."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_yaml(path: Path) -> Any:
    """Return the values of a YAML file in which no key is given twice; see `open_yaml` for what is raised."""
    file = open_yaml(path)
    if file.twice:
        line, name = file.twice[0]
        raise UnreadableError(f"{printable(path)} is not valid YAML: line {line}: {name} is given twice.")
    return file.content


def open_yaml(path: Path) -> YamlFile:
    """Read a YAML file.

    Raises
    ------
    OSError
        When it is not there or may not be read.
    UnreadableError
        When it is no text, is not valid YAML, has aliases of aliases, or is larger or nested more deeply than any file
        of the course. The message names the file and the line.
    """
    text = read_text(path)
    try:
        _refuse_controls(text)
        _refuse_more_than_values(text)
        root = yaml.compose(text, _Loader)
        twice: list[tuple[int, str]] = []
        if root is not None:
            _tidy(root, twice)
        lines = dict(_places(root, ())) if root is not None else {}
        return YamlFile(text, _construct(root), lines, twice)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark else 1
        raise UnreadableError(
            f"{printable(path)} is not valid YAML: line {line}: {_reason(error, text, line)}."
        ) from error
    except _Refused as refused:
        raise UnreadableError(
            f"{printable(path)} is not valid YAML: line {refused.line}: {refused}."
        ) from None


class _Refused(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


def _reason(error: yaml.YAMLError, text: str, line: int) -> str:
    written = text.splitlines()[line - 1 : line]
    if written and "\t" in written[0][: len(written[0]) - len(written[0].lstrip())]:
        return "a tab stands where spaces belong; YAML is indented with spaces"
    parts = (getattr(error, "context", None), getattr(error, "problem", None) or error)
    return printable(", ".join(str(part) for part in parts if part)).rstrip(".")


def _refuse_controls(text: str) -> None:
    found = _CONTROLS.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise _Refused(line, f"the control character {printable(found[0])} is no text; delete it")


def _refuse_more_than_values(text: str) -> None:
    """Refuse what is no plain value within bounds: look at the stream of events, before anything is built from it."""
    anchored: list[bool] = []  # of each list and mapping that is open here
    number = 0
    event: Any
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            anchored.append(event.anchor is not None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchored.pop()
        number += isinstance(event, yaml.NodeEvent)
        line = event.start_mark.line + 1
        if len(anchored) > DEEPEST:
            raise _Refused(line, f"lists and mappings are nested more than {DEEPEST} deep")
        if number > MOST_VALUES:
            raise _Refused(line, f"there are more than {MOST_VALUES:,} values up to here")
        if isinstance(event, yaml.AliasEvent) and any(
            anchored
        ):  # of these, a few stand for billions of values
            raise _Refused(line, "an alias stands inside what another alias stands for")
        tag: Any = getattr(event, "tag", None)
        if tag not in _TAGS:
            shown = printable(tag.replace(_TAG, "!!"))[:80]
            raise _Refused(
                line, f"the tag {shown} is not allowed: values are text, numbers, lists and mappings"
            )


def _tidy(node: yaml.Node, twice: list[tuple[int, str]]) -> None:
    """Make every key text, and take out those that occur again."""
    if isinstance(node, yaml.MappingNode):
        kept: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(line, "the name of an entry is text, no list and no mapping")
            if key.value in kept:
                twice.append((line, printable(key.value)))
            elif key.tag != f"{_TAG}merge":
                key.tag = f"{_TAG}str"
            kept.setdefault(key.value, (key, value))
            _tidy(value, twice)
        node.value = list(kept.values())
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            _tidy(entry, twice)


def _places(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    if not place:
        yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*place, key.value), key.start_mark.line + 1
            yield from _places(value, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*place, index), value.start_mark.line + 1
            yield from _places(value, (*place, index))


def _construct(root: yaml.Node | None) -> Any:
    loader = _Loader("")
    try:
        return None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()
