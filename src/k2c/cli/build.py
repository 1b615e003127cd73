"""Commands that write the course for its readers."""

from pathlib import Path
from typing import Literal

import click

from k2c.cli.consoles import console

folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
replace = click.option("--replace", is_flag=True, help="Write over notebooks that are there already.")


@click.group()
def build() -> None:
    """Write the lectures with the exercises' holes, or with them filled."""


@build.command()
@folder
@replace
def student(folder: Path, replace: bool) -> None:
    """Write the notebooks as a student gets them into DIR: holes in the exercises, no outputs."""
    _build("student", folder, replace)


@build.command()
@folder
@replace
def solutions(folder: Path, replace: bool) -> None:
    """Write the notebooks with every exercise solved into DIR."""
    _build("solutions", folder, replace)


def _build(kind: Literal["student", "solutions"], folder: Path, replace: bool) -> None:
    from k2c.runs.builds import build_notebooks

    written = build_notebooks(kind, folder, replace)
    words = "1 notebook" if len(written) == 1 else f"{len(written)} notebooks"
    console.say(f"{words} in {folder}")
