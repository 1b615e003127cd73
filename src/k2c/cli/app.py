"""The command `k2c`: what its commands share, and the list of them.

Heavy imports stand in the commands that need them, so that a typing error answers at once.
"""

import os

import click

from k2c import __version__
from k2c._system.paths import fix_folders
from k2c.cli.batch import batch
from k2c.cli.build import build, site, slides
from k2c.cli.data import data
from k2c.cli.grade import grade
from k2c.cli.group import SentenceGroup
from k2c.cli.lectures import lab, list_lectures, notebooks, run
from k2c.cli.own import export, fine_tune_command, predict
from k2c.cli.tools import bench, doctor
from k2c.cli.train import train


@click.group(cls=SentenceGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="k2c")
def main() -> None:
    """Kernels to Clinic: lectures on deep learning that run anywhere."""
    # A kernel of the user's own, registered under the same name, must not run the lectures.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    fix_folders()


for command in (
    run,
    list_lectures,
    notebooks,
    lab,
    doctor,
    bench,
    fine_tune_command,
    predict,
    export,
    data,
    batch,
    grade,
    build,
    train,
    site,
    slides,
):
    main.add_command(command)
