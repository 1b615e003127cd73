"""Commands that write the course for its readers: notebooks with holes or filled, the site, slides."""

from pathlib import Path

import click

from k2c._system.terminal import console, problems
from k2c.cli.group import Output

folder = click.argument("folder", metavar="DIR", type=Output(folder=True))
replace = click.option("--replace", is_flag=True, help="Write over notebooks that are there already.")


@click.group()
def build() -> None:
    """Write the lectures with the exercises' holes, or with them filled."""


@build.command()
@folder
@replace
def student(folder: Path, replace: bool) -> None:
    """Write the kit as a student gets it into DIR: holes in the exercises, no outputs, no solutions.

    Its checks know the public cases and what is expected of them, computed here. `make` installs it, as the whole kit.
    """
    from k2c.runs.builds import build_student_kit

    _say(build_student_kit(folder, replace), folder)


@build.command()
@folder
@replace
def solutions(folder: Path, replace: bool) -> None:
    """Write the notebooks with every exercise solved into DIR."""
    from k2c.runs.builds import build_solved_notebooks

    _say(build_solved_notebooks(folder, replace), folder)


def _say(written: list[Path], folder: Path) -> None:
    words = "1 notebook" if len(written) == 1 else f"{len(written)} notebooks"
    console.say(f"{words} in {folder}")


@click.command()
@click.argument("folder", type=Output(folder=True), default=Path("runs/site"))
@click.option(
    "--models", is_flag=True, help="Also train the lectures' own models, minutes, and put each on a page."
)
def site(folder: Path, models: bool) -> None:
    """Build the course site in FOLDER (runs/site by default) from the executed notebooks.

    The pages need no server and no network: open index.html in a browser, or put the folder on any web server.
    """
    from k2c.runs.site import build_site

    start, warnings = build_site(folder.resolve(), models)
    if warnings:
        problems.say(("Sphinx warns:", "yellow"), f"\n{warnings}")
    console.say(f"Site: {start}")


@click.command()
@click.argument("lecture")
@click.option("--out", type=Output(), help="The HTML file.")
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
