"""Commands beside the lectures: what is here, how fast it is, and what a network sees."""

import json
import sys
from pathlib import Path

import click

from k2c._system.terminal import console, problems


@click.command()
def doctor() -> None:
    """Say what is there, what is not, and what to do about it."""
    from k2c.cli.doctor import examine, print_findings

    findings = examine()
    print_findings(findings, console)
    sys.exit(1 if any(finding.status == "missing" for finding in findings) else 0)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the rows here too."
)
def bench(names: tuple[str, ...], json_file: Path | None) -> None:
    """Measure the kit against named references, in turns in one run.

    NAME is a benchmark, all of them by default. Run nothing else on the machine meanwhile.
    """
    from k2c._system.machine import keep_to_quota
    from k2c.bench import print_rows, run_benchmarks

    keep_to_quota()
    rows = run_benchmarks(list(names))
    print_rows(rows, console)
    if json_file:
        from k2c._system.atomic import atomic_path

        with atomic_path(json_file) as part:
            part.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The table."
)
@click.option(
    "--top", type=click.IntRange(1, 1000), default=1, show_default=True, help="Classes for each image."
)
@click.option(
    "--backbone",
    "network",
    default="efficientnet_lite0",
    show_default=True,
    metavar="NAME",
    help="The network of ImageNet's classes.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="A classifier of your own classes, as lecture 3 saves it, instead of a network of ImageNet's.",
)
def predict(folder: Path, csv_file: Path, top: int, network: str, model: Path | None) -> None:
    """Write what a network takes the images in FOLDER for to a CSV file.

    Its columns: file, index, wnid, name, probability, rank (1 is the best); index and name are those of
    the model's own classes where there is one. Folders in FOLDER are searched, too.
    Every file is predicted, or left out and named with the reason. The exit status is 1 where an image was left
    out (a file that is named as one), and 2 where there was nothing to predict.
    """
    from k2c._system.machine import keep_to_quota
    from k2c.models.prediction import predict_folder
    from k2c.training import pick_device

    keep_to_quota()
    device = pick_device()
    report = predict_folder(
        folder, csv_file, top=top, network=network, model=model, device=device, progress=True
    )
    for reason, names in report.load.left_out.items():
        for name in names:
            problems.say(("Left out:", "yellow"), f" {name}: {reason}")
    words = f"{report.predicted:,} images predicted" if report.predicted != 1 else "1 image predicted"
    left_out = f", {len(report.load):,} left out" if len(report.load) else ""
    console.say(f"{words}{left_out}: {csv_file}")
    sys.exit(1 if report.broken else 0)
