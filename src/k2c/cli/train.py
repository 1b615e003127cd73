"""The command that trains one job with several workers."""

import json
from pathlib import Path
from typing import Any

import click

from k2c.cli.consoles import console
from k2c.errors import K2CError


@click.command()
@click.argument("strategy")
@click.argument("experiment")
@click.option("--workers", default=2, show_default=True, help="How many processes share each step.")
@click.option("-p", "parameters", metavar="NAME=VALUE", multiple=True, help="A parameter of the experiment.")
@click.option("-o", "options", metavar="NAME=VALUE", multiple=True, help="An option of the strategy.")
@click.option(
    "--module", default="", metavar="FILE", help="The file or module that registers the experiment."
)
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), help="Keep checkpoints and history here."
)
def train(
    strategy: str, experiment: str, workers: int, parameters: tuple[str, ...], options: tuple[str, ...],
    module: str, folder: Path | None,
) -> None:  # fmt: skip
    """Train EXPERIMENT with several workers.

    STRATEGY is single, all_reduce, parameter_server, spark, mpi or horovod, as in `k2c train all_reduce blobs
    --workers 4 -p epochs=2 -o compression=fp16`. With --folder, a run that was cut off goes on when it is started
    again.
    """
    from k2c import parallel

    job = parallel.Job(experiment, _values(parameters, "-p"), module)
    history = parallel.train(
        strategy, job, workers, folder=folder, progress=console.is_terminal, **_values(options, "-o")
    )
    for row in history.rows:
        words = [f"{name} {value:.6g}" for name, value in row.items() if isinstance(value, int | float)]
        console.print(", ".join(words), soft_wrap=True, highlight=False)


def _values(changes: tuple[str, ...], flag: str) -> dict[str, Any]:
    """Return the values by name: numbers, true, false and lists as JSON has them, anything else is text."""
    values = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise K2CError(f"{flag} takes NAME=VALUE, as in {flag} name=5, not {change!r}.")
        try:
            values[name.strip()] = json.loads(text)
        except ValueError:
            values[name.strip()] = text.strip()
    return values
