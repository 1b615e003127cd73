"""The command that trains one job with several workers."""

import inspect
import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from k2c._system.terminal import console
from k2c.cli.group import Output
from k2c.cli.stopping import when_stopped
from k2c.errors import K2CError

if TYPE_CHECKING:
    from k2c.parallel import WorkerState

# Where a launcher says how many processes it has started, and what starts one. SLURM's srun; mpirun of Open MPI, and of
# MPICH and Intel MPI. The script of a SLURM job has only SLURM_NTASKS: it runs once, so it may train.
_LAUNCHERS = {
    "SLURM_STEP_NUM_TASKS": ("srun", "srun -N 1 -n 1 -c {0} k2c train ... --workers {0}"),
    "OMPI_COMM_WORLD_SIZE": ("mpirun", "k2c train ... --workers {0}"),
    "PMI_SIZE": ("mpirun", "k2c train ... --workers {0}"),
}


class WithLists(click.Command):
    """A command whose help lists what can be trained, and how."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both lists below the options; only this help takes the seconds that torch's import does."""
        from k2c.parallel import all_experiments, all_strategies

        with formatter.section("Strategies"):
            formatter.write_dl(
                [
                    (way.name, way.summary + (" Not installed." if way.missing() else ""))
                    for way in all_strategies()
                ]
            )
        with formatter.section("Experiments"):
            formatter.write_dl(
                [
                    (name, (inspect.getdoc(maker) or "").partition("\n")[0])
                    for name, maker in all_experiments().items()
                ]
            )


@click.command(cls=WithLists)
@click.argument("strategy")
@click.argument("experiment")
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="How many processes share each step; by default 2, for single 1.",
)
@click.option("-p", "parameters", metavar="NAME=VALUE", multiple=True, help="A parameter of the experiment.")
@click.option("-o", "options", metavar="NAME=VALUE", multiple=True, help="An option of the strategy.")
@click.option(
    "--module", default="", metavar="FILE", help="The file or module that registers the experiment."
)
@click.option("--folder", type=Output(folder=True), help="Keep checkpoints and history here.")
def train(
    strategy: str, experiment: str, workers: int | None, parameters: tuple[str, ...], options: tuple[str, ...],
    module: str, folder: Path | None,
) -> None:  # fmt: skip
    """Train EXPERIMENT with several workers.

    For example: `k2c train all_reduce blobs --workers 4 -p epochs=2 -o compression=fp16`. A line is printed for
    each epoch. With --folder, a run that was cut off goes on when it is started again. An experiment of your own is
    registered in a file that --module names. Under srun or mpirun, start it once: it starts its workers itself, on one
    machine.
    """
    _refuse_copies()
    values, chosen = _values(parameters, "-p"), _values(options, "-o")
    from k2c import parallel

    job = parallel.Job(experiment, values, module)
    printed = 0

    def print_rows(rows: list[dict[str, Any]]) -> None:
        nonlocal printed
        for row in rows:
            if row["epoch"] == printed + 1:  # one that ended between two looks is printed at the end
                words = [
                    f"{name} {value:.6g}" for name, value in row.items() if isinstance(value, int | float)
                ]
                console.say(", ".join(words))
                printed += 1

    def watch(states: "list[WorkerState]") -> None:
        if not bars and states[0].row:
            print_rows([states[0].row])

    bars, workers = console.is_terminal, workers or (1 if strategy == "single" else 2)
    again = f"Start it again with --folder {shlex.quote(str(folder))} to go on." if folder else ""
    with when_stopped(again):
        history = parallel.train(strategy, job, workers, folder=folder, progress=bars, watch=watch, **chosen)
    print_rows(history.rows)


def _refuse_copies() -> None:
    """Refuse to train where a launcher started this command several times: each would be a whole training run."""
    for variable, (launcher, once) in _LAUNCHERS.items():
        copies = os.environ.get(variable, "")
        if copies.isdecimal() and int(copies) > 1:
            raise K2CError(
                f"{launcher} has started this command {copies} times, and each would be a whole training run. Start it "
                f"once; it starts its workers itself, all on one machine: {once.format(copies)}"
            )


def _values(changes: tuple[str, ...], flag: str) -> dict[str, Any]:
    """Return the values by name: numbers, true, false and lists as JSON has them, anything else is text."""
    values = {}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise K2CError(f"{flag} takes NAME=VALUE, as in {flag} name=5, not {change!r}.")
        try:
            values[name.strip()] = json.loads(text)
        except (ValueError, RecursionError):
            values[name.strip()] = text.strip()
    return values
