"""YAML is read as plain values within bounds; everything else is refused with its line."""

import datetime
import os
import string
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given, settings

from k2c._system.paths import project_root
from k2c._system.plain_file import UnreadableError
from k2c._system.yaml_file import open_yaml, read_yaml


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "file.yml").write_text(text)
        return tmp_path / "file.yml"

    return write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),  # Norway
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("010", 10),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1e-5", 1e-5),
        ("-.5", -0.5),
        ("2020-01-01", "2020-01-01"),
        ("~", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("=", "="),
    ],
)
def test_values_are_read_by_the_rules_of_yaml_1_2(written, text, value):
    assert read_yaml(written(f"a: {text}\n")) == {"a": value}
    assert type(read_yaml(written(f"a: {text}\n"))["a"]) is type(value)


def test_every_key_is_text_and_aliases_and_merges_work(written):
    text = "NO: 1\n02: 2\nbase: &base {a: 1, b: 2}\nmore: {<<: *base, b: 3}\nagain: [*base, *base]\n"
    assert read_yaml(written(text)) == {
        "NO": 1, "02": 2, "base": {"a": 1, "b": 2}, "more": {"a": 1, "b": 3}, "again": [{"a": 1, "b": 2}] * 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: &a [x]\nb: &b [*a, *a]", 2, "an alias stands inside what another alias stands for"),
        ("a: &a [*a]", 1, "an alias stands inside what another alias stands for"),
        ("a: *b", 1, "undefined alias"),
        ("a:\n  " + "[" * 5000 + "]" * 5000, 2, "nested more than 40 deep"),
        ("a: " + "[" * 1_000_000, 1, "nested more than 40 deep"),
        ("".join(" " * depth + "a:\n" for depth in range(1000)), 41, "nested more than 40 deep"),
        ("a: [" + "1, " * 500_000 + "]", 1, "more than 100,000 values"),
        ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, "the tag !!python/object/apply:os.system is not allowed"),
        ("a: !!binary aGk=", 1, "the tag !!binary is not allowed"),
        ("a: !\x00b c", 1, r"the control character \x00"),
        ("a: 1\nb: x\x1b[2J", 2, r"the control character \x1b"),
        ("a: 1\nb:\n\tc: 2", 3, "a tab stands where spaces belong"),
        ("a: " + "9" * 5000, 1, "a number of 5,000 digits is too long"),
        ("? [a]\n: 1", 1, "the name of an entry is text"),
        ("a: 1\n---\nb: 2", 2, "single document"),
        ("a: [1", 2, "expected"),
        ('a: "\\ud800"', 1, "invalid Unicode"),
        ("a: 1\nb: {c: 1,\n  c: 2}", 3, "c is given twice"),
        ("%YAML 9.9\n---\na: 1", 1, "incompatible"),
    ],
)  # fmt: skip
def test_what_is_more_than_plain_values_is_refused_with_its_line(written, text, line, said):
    with pytest.raises(UnreadableError) as caught:
        read_yaml(written(text))
    message = str(caught.value)
    assert f"file.yml is not valid YAML: line {line}: " in message
    assert said in message
    assert len(message) < 300 + len(str(written("")))


def test_lines_of_entries_are_known_and_the_first_of_two_counts(written):
    file = open_yaml(written("a: 1\nb:\n  - 5\n  - {c: 6,\n     d: 7, c: 8}\n"))
    assert file.content == {"a": 1, "b": [5, {"c": 6, "d": 7}]}
    assert [file.line(place) for place in (("a",), ("b", 0), ("b", 1, "d"), ("b", 1, "x"), ("z",))] == [
        1,
        3,
        5,
        4,
        1,
    ]
    assert file.twice == [(5, "c")]


@pytest.mark.parametrize(
    "path", sorted((project_root() / "course").rglob("*.yml")), ids=lambda path: path.stem
)
def test_the_courses_own_files_mean_the_same_to_other_readers(path):
    assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff")),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(string.ascii_letters, min_size=1), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(PLAIN)
def test_what_is_dumped_is_read_back(value):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.yml")
        path.write_text(yaml.safe_dump(value, allow_unicode=True), encoding="utf-8")
        assert read_yaml(path) == value


@settings(max_examples=300, deadline=None)
@given(st.text("ab:-[]{}&*!<>?|'\"#%@, \n\t\\\x00\x1b\u202e0123456789.e~", max_size=60))
def test_anything_is_read_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file.yml")
        path.write_text(text, encoding="utf-8")
        try:
            value = read_yaml(path)
        except UnreadableError as error:
            assert str(error).isprintable()
        else:
            assert not isinstance(value, datetime.date | bytes | set)


def test_a_pipe_in_place_of_a_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(UnreadableError, match="no ordinary file"):
        read_yaml(tmp_path / "pipe.yml")
