"""Commands that write the course for its readers: notebooks with holes or filled, the site, slides."""

from pathlib import Path
from typing import Literal

import click

from k2c._system.terminal import console, problems

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


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("runs/site"))
def site(folder: Path) -> None:
    """Build the course site in FOLDER (runs/site by default) from the executed notebooks.

    The pages need no server and no network: open index.html in a browser, or put the folder on any web server.
    """
    from k2c.runs.site import build_site

    start, warnings = build_site(folder.resolve())
    if warnings:
        problems.say(("Sphinx warns:", "yellow"), f"\n{warnings}")
    console.say(f"Site: {start}")


@click.command()
@click.argument("lecture")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The HTML file.")
@click.option("--code", is_flag=True, help="Show the code of every cell that is not long.")
def slides(lecture: str, out: Path | None, code: bool) -> None:
    """Make slides of a LECTURE from its notebook: one HTML file, runs/slides/<lecture>.html by default.

    A heading starts a slide; a cell's slide type in JupyterLab (Slide, Skip, Notes, ...) decides otherwise.
    Arrow keys turn the slides, f fills the screen, and the browser prints them to PDF.
    """
    from k2c.course.syllabus import load_syllabus
    from k2c.runs.slides import write_slides

    name = load_syllabus().lecture_name(lecture)
    out = out or Path("runs/slides") / f"{name}.html"
    number = write_slides(name, out, all_code=code)
    console.say(f"{number} slides: {out}")
