"""A folder of photographs in, a table of what a network takes them for out: the command `k2c predict`."""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from k2c._system.atomic import atomic_path
from k2c._system.machine import usable_cores
from k2c._system.printable import spreadsheet_cell
from k2c.datasets.image_formats import named_as_image
from k2c.datasets.images import ImageArray, ImageError, in_parallel, read_image
from k2c.datasets.load_report import LoadReport
from k2c.datasets.own_folder import HIDDEN, OF_SYSTEM
from k2c.datasets.photographs import files_of_photographs
from k2c.errors import K2CError
from k2c.models.backbones import Backbone, backbone
from k2c.models.classify import top_classes
from k2c.models.folding import folded
from k2c.models.own_classifier import load_classifier

COLUMNS = ("file", "index", "wnid", "name", "probability", "rank")
_BATCH = 16

_Read = tuple[Path, ImageArray | ImageError]


@dataclass
class PredictionReport:
    """What became of a folder.

    Attributes
    ----------
    load
        How many images are in the table, and every other file of the folder with the reason.
    """

    load: LoadReport = field(default_factory=lambda: LoadReport("images"))

    @property
    def predicted(self) -> int:
        """How many images are in the table."""
        return self.load.read

    @property
    def broken(self) -> list[str]:
        """Those of the other files that are named as images."""
        left_out = [(name, why) for why, names in self.load.left_out.items() for name in names]
        return [name for name, why in left_out if named_as_image(name) and why not in (HIDDEN, OF_SYSTEM)]


def predict_folder(
    folder: str | os.PathLike[str],
    csv_file: str | os.PathLike[str],
    *,
    top: int = 1,
    network: str = "efficientnet_lite0",
    model: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    workers: int | None = None,
    progress: bool = False,
) -> PredictionReport:
    """Write what a network takes the images of a folder for.

    Threads read and resize the next images while the network computes.

    Parameters
    ----------
    folder
        Every file in it and in the folders below is tried, whatever its name is.
    csv_file
        The table: a row for each of the `top` classes of each image, in the order of the files' names, with
        `file` (relative to the folder; a name that a spreadsheet would compute has an apostrophe before it),
        `index`, `wnid`, `name`, `probability`, `rank`. It appears when it is complete.
    top
        Classes per image, the most probable first.
    network
        Name of the backbone (see `k2c.models.backbone_table`).
    model
        A file that `k2c.models.OwnClassifier.save` wrote: its classes instead of ImageNet's, and its network; `wnid`
        is empty then.
    workers
        Threads that read images; one a processor by default.
    progress
        Whether to show a progress bar.

    Returns
    -------
    PredictionReport
        Files that are no images, cannot be read, or are smaller than 8 x 8 pixels, are listed there and not in
        the table.

    Raises
    ------
    K2CError
        When the folder has no image that can be read; when the table cannot be written there; when the model is
        damaged or something else; when it has fewer classes than `top`.
    """
    folder, report = Path(folder), PredictionReport()
    files = find_files(folder, report.load, Path(csv_file))
    own = None if model is None else load_classifier(model)
    classes = None if own is None else own.classes
    if not 1 <= top <= (most := 1000 if classes is None else len(classes)):
        raise K2CError(f"Each image can have 1 to {most:,} classes in the table, and {top:,} are asked for.")
    classifier = (backbone(network) if own is None else own.network).to(device)
    options = {"desc": "predicting", "unit": "image", "leave": False, "disable": not progress}
    try:
        with (
            atomic_path(csv_file) as part,
            part.open("w", encoding="utf-8", newline="") as stream,
            tqdm(total=len(files), **options) as bar,
        ):
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(COLUMNS)
            for row in _rows(classifier, classes, folder, files, top, workers, report, bar):
                table.writerow([spreadsheet_cell(value) for value in row])
            if not report.predicted:
                raise K2CError(f"There is no image in {folder} that can be read. {report.load}")
    except OSError as error:
        raise K2CError(f"The table cannot be written to {csv_file} ({error.strerror}).") from error
    return report


def find_files(folder: Path, report: LoadReport, table: Path | None = None) -> list[Path]:
    """Return the files in a folder and below that may be images, sorted; the others go into the report.

    Parameters
    ----------
    table
        The file that is going to be written: it may lie in the folder, and is none of its images.

    Raises
    ------
    K2CError
        When there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise K2CError(f"{folder} {what}. Name a folder with images in it.")
    files = [
        path
        for path in files_of_photographs(folder, report)
        if table is None or path.resolve() != table.resolve()
    ]
    if not files:
        raise K2CError(f"There is no image in {folder} or below it. {report}")
    return files


def _rows(
    network: Backbone,
    classes: Sequence[str] | None,
    folder: Path,
    files: list[Path],
    top: int,
    workers: int | None,
    report: PredictionReport,
    bar: Any,
) -> Iterator[tuple[object, ...]]:
    classify = _fast(network)
    for read in _batches(network, files, workers):
        for path, image in read:
            if isinstance(image, ImageError):
                report.load.leave_out(path.relative_to(folder).as_posix(), image.reason)
        good = [(path, image) for path, image in read if not isinstance(image, ImageError)]
        report.load.read += len(good)
        if good:
            names = [path.relative_to(folder).as_posix() for path, _ in good]
            inputs = torch.from_numpy(np.stack([image for _, image in good]))
            with torch.inference_mode():
                logits = classify(inputs).float().cpu()
            best = top_classes(logits, top, names, classes).itertuples(index=False, name=None)
            for file, rank, index, wnid, name, probability in best:
                yield file, index, wnid, name, f"{probability:.6f}", rank
        bar.update(len(read))


def _fast(network: Backbone) -> nn.Module:
    """Return the network from uint8 images to logits, its normalisations folded away."""
    weight = next(network.parameters())
    side = network.preprocessing.size
    classifier = folded(network.as_classifier(), weight.new_zeros(1, 3, side, side))

    class FromImages(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return classifier(network.preprocessing.normalise(images.to(weight.device)))

    return FromImages()


def _batches(network: Backbone, files: list[Path], workers: int | None) -> Iterator[list[_Read]]:
    """Yield the images as squares, batch by batch, several batches being read ahead."""
    workers = workers or usable_cores()
    size = min(_BATCH, -(-len(files) // (2 * workers)))
    preprocessing = network.preprocessing

    def read(path: Path) -> _Read:
        try:
            return path, preprocessing.square(read_image(path, at_least=preprocessing.resize))
        except ImageError as error:
            return path, error

    def read_batch(start: int) -> list[_Read]:
        return [read(path) for path in files[start : start + size]]

    return in_parallel(read_batch, range(0, len(files), size), workers)
