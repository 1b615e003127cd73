"""Commands for data sets."""

import sys

import click

from k2c._system.terminal import console
from k2c.cli.stopping import when_stopped


@click.group()
def data() -> None:
    """List, fetch and verify the data sets."""


@data.command("list")
def list_data() -> None:
    """Show every data set, its licence, its size and whether it is here."""
    from k2c.datasets import damaged, entries, is_cached

    for entry in entries():
        here = "ships" if entry.shipped else "here" if is_cached(entry.id) else "not here"
        here = "damaged" if damaged(entry.id) else here
        facts = ", ".join(filter(None, (entry.licence, entry.download_text)))
        shown = (here, {"here": "green", "damaged": "red"}.get(here, "dim"))
        console.say((entry.id, "bold"), (f"  {facts}, ", "dim"), shown, f"\n    {entry.title}")


@data.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
def fetch(ids: tuple[str, ...]) -> None:
    """Download data sets (by default all that the lectures read), checked by their hashes."""
    from k2c.datasets import entries
    from k2c.datasets import fetch as fetch_data

    with when_stopped("What has arrived is kept: the same command goes on from there."):
        for name in ids or [entry.id for entry in entries() if entry.by_default]:
            console.say(f"{name}: {fetch_data(name)}")


@data.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
def verify(ids: tuple[str, ...]) -> None:
    """Check the files that are here against their hashes (all data sets by default)."""
    from k2c.datasets import damaged, entries, is_cached
    from k2c.datasets import verify as verify_data

    wrong = False
    for name in ids or [entry.id for entry in entries()]:
        if not ids and not is_cached(name) and not damaged(name):
            console.say(f"{name}: not here")
            continue
        found = verify_data(name)
        wrong = wrong or bool(found)
        console.say(f"{name}: ", "; ".join(found) or "intact")
    sys.exit(1 if wrong else 0)


@data.command()
@click.argument("name", metavar="ID")
def path(name: str) -> None:
    """Print where a data set is, or will be."""
    from k2c.datasets import local_path

    click.echo(local_path(name))
