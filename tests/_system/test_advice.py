"""What the sentences of the kit tell their reader to type is there to be typed."""

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from k2c._system import advice
from k2c.cli.app import main
from k2c.course.syllabus import load_syllabus
from k2c.errors import K2CError
from k2c.parallel import all_experiments, all_strategies

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What the kit uses where it is installed, and asks for in no extra.
BESIDES = {"pillow-heif"}


def plain(requirement: str) -> str:
    return re.split(r"[\s;<>=!\[]", requirement)[0].lower().replace("_", "-")


PACKAGES = BESIDES | {plain(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((ROOT / "src/k2c").rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def calls_of(function: str) -> list:
    """Return the arguments of every call of a function of `advice`, as one writes them."""
    return [
        pytest.param([arg.value for arg in node.args if isinstance(arg, ast.Constant)], id=f"{file}:{node.lineno}")
        for file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function
    ]  # fmt: skip


def sentences() -> list[str]:
    """Return every text of the package that is no docstring and is made of words."""
    found = []
    for _, tree in trees():
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body and isinstance(node.body[0], ast.Expr)
        }  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                found += [] if id(node) in docstrings else [node.value]
    return found


def mentioned(pattern: str) -> list:
    return sorted({match for sentence in sentences() for match in re.findall(pattern, sentence)})


def every_command(
    group: click.Group = main, words: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield " ".join([*words, name]), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*words, name))


@pytest.mark.parametrize("words", calls_of("pip_install"))
def test_what_is_to_be_installed_is_an_extra_or_a_package_that_the_kit_asks_for(words):
    for word in words:
        if word.startswith("["):
            assert word.strip("[]") in EXTRAS
        elif not word.startswith("-"):
            assert plain(word) in PACKAGES


def test_no_other_sentence_says_what_to_install():
    said = [sentence for sentence in sentences() if re.search(r"pip\d? install(?! -e \.$)", sentence)]
    assert said == ["-m pip install"]  # the words of pip_install() itself


def test_an_extra_is_installed_into_this_python_from_any_folder():
    assert advice.pip_install("[mpi]") == f'{sys.executable} -m pip install -e "{ROOT}[mpi]"'


def test_brackets_and_spaces_reach_pip_as_they_are(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/home/a b/bin/python")
    assert advice.pip_install("pyopencl[pocl]") == '"/home/a b/bin/python" -m pip install "pyopencl[pocl]"'


@pytest.mark.parametrize("words", calls_of("set_parameter"))
def test_a_parameter_that_is_to_be_set_is_one_of_a_lecture_and_takes_the_value(words):
    name, value = words
    lectures = load_syllabus().lectures.values()
    assert any(
        takes(lecture.parameters[name], name, value) for lecture in lectures if name in lecture.parameters
    )
    said = advice.set_parameter(name, value)
    assert f'{name}="{value}"' in said and f"-p {name}={value};" in said and f"{name}: {value})" in said


def takes(parameter, name, value):
    try:
        return parameter.convert(name, value) == value
    except K2CError:
        return False


@pytest.mark.parametrize("words", calls_of("set_option"))
def test_an_option_that_is_to_be_set_is_one_of_a_strategy_and_takes_the_value(words):
    name, value = (*words, 60)[:2]  # a time limit is computed
    kinds = {way.options for way in all_strategies() if name in way.options.__dataclass_fields__}
    assert any(takes_option(kind, name, value) for kind in kinds)
    assert f"-o {name}={value}" in advice.set_option(name, value)


def takes_option(kind, name, value):
    try:
        return bool(kind(**{name: value}))
    except K2CError:
        return False


@pytest.mark.parametrize("typed", mentioned(r"(-[po]) ([a-z_]+)="))
def test_what_follows_p_and_o_in_a_sentence_exists(typed):
    flag, name = typed
    lectures = {name for lecture in load_syllabus().lectures.values() for name in lecture.parameters}
    options = {name for way in all_strategies() for name in way.options.__dataclass_fields__}
    assert name in (lectures if flag == "-p" else options)


def test_films_of_a_folder_take_in_training_what_their_sentences_say():
    assert {"source", "labels", "missing"} <= inspect.signature(
        all_experiments()["chest_films"]
    ).parameters.keys()


@pytest.mark.parametrize("flag", mentioned(r"(?<![\w-])(--[a-z][a-z-]+)(?= [A-Z]|[.,;)]|$| FILE| \d)"))
def test_a_flag_in_a_sentence_is_one_of_a_command(flag):
    assert flag in {option for _, command in every_command() for p in command.params for option in p.opts}


@pytest.mark.parametrize("word", mentioned(r"(?:: |`)k2c ([a-z][a-z-]*)"))
def test_a_command_in_a_sentence_exists(word):
    assert word in dict(every_command())
