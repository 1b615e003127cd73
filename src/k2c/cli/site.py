"""Commands that show the lectures elsewhere than in a notebook: as a site, as slides."""

from pathlib import Path

import click

from k2c.cli.consoles import console, problems


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
