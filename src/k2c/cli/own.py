"""Commands for your own images: train a classifier, use it, and hand it on."""

import sys
from pathlib import Path

import click

from k2c._system.terminal import console, problems
from k2c.cli.group import Output
from k2c.cli.stopping import when_stopped

_folder = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
_network = click.option(
    "--backbone", "network", default="efficientnet_lite0", show_default=True, metavar="NAME",
    help="The pretrained network.",
)  # fmt: skip


@click.command("fine-tune")
@_folder
@click.argument("model", type=Output())
@click.option(
    "--labels", metavar="CSV", help="The CSV file of the labels, where subfolders are not the classes."
)
@click.option(
    "--kind", type=click.Choice(["photograph", "fundus", "film"]), default="photograph", show_default=True,
    help="What the images are.",
)  # fmt: skip
@_network
@click.option("--epochs", type=click.IntRange(1), default=30, show_default=True, help="Of the last layer.")
@click.option(
    "--all-epochs", "trunk_epochs", type=click.IntRange(0), default=0, show_default=True,
    help="Epochs after these in which all weights learn.",
)  # fmt: skip
@click.option(
    "--mistakes", metavar="HTML", type=Output(),
    help="Write a sheet of the worst mistakes on the held-out images.",
)  # fmt: skip
def fine_tune_command(
    folder: Path, model: Path, labels: str | None, kind: str, network: str, epochs: int, trunk_epochs: int,
    mistakes: Path | None,
) -> None:  # fmt: skip
    """Train a classifier on the images in FOLDER, and write it to MODEL.

    FOLDER has a subfolder for each class, or a CSV file of labels. A quarter of the images is held out, and the
    classifier is measured on it.
    """
    from k2c._system.machine import keep_to_quota
    from k2c.datasets import load_images
    from k2c.own import fine_tune

    keep_to_quota()
    with when_stopped(f"{model} was not written."):
        tuned = fine_tune(
            load_images(folder, labels, missing="skip"), backbone=network, kind=kind, epochs=epochs,
            trunk_epochs=trunk_epochs, progress=True,
        )  # fmt: skip
        tuned.save(model)
    console.say(tuned.report().round(3).to_string())
    if mistakes:
        console.say(f"Mistakes: {mistakes} ({tuned.write_mistakes(mistakes)})")
    console.say(f"{tuned.classifier.card.measured}")
    console.say(f"Model: {model}")


@click.command()
@_folder
@click.option("--csv", "csv_file", type=Output(), required=True, help="The table.")
@click.option(
    "--html", "html_file", type=Output(),
    help="A sheet of the images, with maps of what speaks for the answer.",
)  # fmt: skip
@click.option(
    "--top",
    type=click.IntRange(1, 1000),
    help="Classes for each image; 1 by default, all of your own model's.",
)
@_network
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="A classifier of your own classes, as `k2c fine-tune` writes it, instead of a network of ImageNet's.",
)
def predict(
    folder: Path, csv_file: Path, html_file: Path | None, top: int | None, network: str, model: Path | None
) -> None:
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
    report = predict_folder(
        folder, csv_file, top=1 if model is None and top is None else top, network=network, model=model,
        html_file=html_file, device=pick_device(), progress=True,
    )  # fmt: skip
    for reason, names in report.load.left_out.items():
        for name in names:
            problems.say(("Left out:", "yellow"), f" {name}: {reason}")
    words = f"{report.predicted:,} images predicted" if report.predicted != 1 else "1 image predicted"
    left_out = f", {len(report.load):,} left out" if len(report.load) else ""
    console.say(f"{words}{left_out}: {csv_file}" + (f", {html_file}" if html_file else ""))
    sys.exit(1 if report.broken else 0)


@click.command()
@click.argument("model")
@click.option("--to", "form", type=click.Choice(["page", "onnx"]), required=True, help="What to write.")
@click.option("--out", type=Output(), help="The file.")
@click.option("--title", default="", help="The heading of the page.")
def export(model: str, form: str, out: Path | None, title: str) -> None:
    """Write MODEL as one web page, or as an ONNX file.

    MODEL is a file of `k2c fine-tune`, or the name of a network of ImageNet's, such as efficientnet_lite0.
    The page needs no server and no network: open it in a browser and drop images on it. Nothing leaves the computer.
    """
    from k2c.models import backbone_table, imagenet_classifier, load_classifier
    from k2c.own import export_onnx, export_page

    pretrained = not Path(model).exists() and model in backbone_table().index
    own = imagenet_classifier(model) if pretrained else load_classifier(model)
    out = out or Path(
        f"{Path(model).stem if not pretrained else model}.{'html' if form == 'page' else 'onnx'}"
    )
    with when_stopped(f"{out} was not written."):
        if form == "page":
            export_page(own, out, title)
        else:
            export_onnx(own, out)
    console.say(f"{'Page' if form == 'page' else 'ONNX'}: {out} ({out.stat().st_size / 1e6:.1f} MB)")
