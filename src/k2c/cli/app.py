"""The command `k2c`: what its commands share, and the list of them.

Heavy imports stand in the commands that need them, so that a typing error answers at once.
"""

import os
from typing import Any

import click
from rich.markup import escape

from k2c import __version__
from k2c.cli.batch import batch
from k2c.cli.build import build
from k2c.cli.consoles import problems
from k2c.cli.data import data
from k2c.cli.grade import grade
from k2c.cli.lectures import lab, list_lectures, notebooks, run
from k2c.cli.site import site, slides
from k2c.cli.tools import bench, doctor, predict
from k2c.cli.train import train
from k2c.errors import K2CError


class SentenceGroup(click.Group):
    """A command group that shows the kit's own errors as sentences."""

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command; a `K2CError` ends it with its sentence and exit code 2."""
        try:
            return super().invoke(ctx)
        except K2CError as error:
            problems.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
            ctx.exit(2)


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="k2c")
def main() -> None:
    """Kernels to Clinic: lectures on deep learning that run anywhere."""
    # A kernel of the user's own, registered under the same name, must not run the lectures.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")


for command in (
    run,
    list_lectures,
    notebooks,
    lab,
    doctor,
    bench,
    predict,
    data,
    batch,
    grade,
    build,
    train,
    site,
    slides,
):
    main.add_command(command)
