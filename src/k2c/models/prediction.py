"""A folder of photographs in, a table of what a network takes them for out: the command `k2c predict`."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from k2c._system.machine import usable_cores
from k2c.atomic import atomic_path
from k2c.datasets.pictures import SUFFIXES, Picture, PictureError, in_parallel, read_picture
from k2c.errors import K2CError
from k2c.models.backbones import Backbone, backbone
from k2c.models.classify import top_classes
from k2c.models.folding import folded

COLUMNS = ("file", "index", "wnid", "name", "probability", "rank")
_BATCH = 16

_Read = tuple[Path, Picture | PictureError]


@dataclass
class Report:
    """What became of a folder: how many pictures are in the table, and which files could not be read."""

    predicted: int = 0
    broken: list[PictureError] = field(default_factory=list)


def predict_folder(
    folder: str | os.PathLike[str],
    csv_file: str | os.PathLike[str],
    *,
    top: int = 1,
    network: str = "efficientnet_lite0",
    device: str | torch.device = "cpu",
    workers: int | None = None,
    progress: bool = False,
) -> Report:
    """Write what a network takes the pictures of a folder for.

    Threads read and resize the next pictures while the network computes.

    Parameters
    ----------
    folder
        It and the folders below are searched for pictures, by the ending of the names.
    csv_file
        The table: a row for each of the `top` classes of each picture, in the order of the files' names, with
        `file` (relative to the folder), `index`, `wnid`, `name`, `probability`, `rank`. It appears when it is
        complete.
    top
        Classes a picture, the most probable first.
    network
        Name of the backbone (see `k2c.models.backbone_table`).
    workers
        Threads that read pictures; one a processor by default.
    progress
        Whether to show a progress bar.

    Returns
    -------
    Report
        Files that cannot be read, or are smaller than 8 x 8 pixels, are listed there and not in the table.

    Raises
    ------
    K2CError
        When the folder has no picture, or none that can be read; when the table cannot be written there.
    """
    folder = Path(folder)
    files, report = find_pictures(folder), Report()
    classifier = backbone(network).to(device)
    options = {"desc": "predicting", "unit": "picture", "leave": False, "disable": not progress}
    try:
        with (
            atomic_path(csv_file) as part,
            part.open("w", encoding="utf-8", newline="") as stream,
            tqdm(total=len(files), **options) as bar,
        ):
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(COLUMNS)
            for row in _rows(classifier, folder, files, top, workers, report, bar):
                table.writerow(row)
            if not report.predicted:
                first = report.broken[0]
                raise K2CError(f"No picture in {folder} can be read. The first of {len(files)}: {first}")
    except OSError as error:
        raise K2CError(f"The table cannot be written to {csv_file} ({error.strerror}).") from error
    return report


def find_pictures(folder: Path) -> list[Path]:
    """Return the files in a folder and below that are named as pictures, sorted; hidden ones are left out.

    Raises
    ------
    K2CError
        When there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise K2CError(f"{folder} {what}. Name a folder with pictures in it.")
    found: list[Path] = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        pictures = [n for n in names if n.lower().endswith(SUFFIXES) and not n.startswith(".")]
        found += [Path(place, name) for name in pictures]
    if not found:
        raise K2CError(
            f"There is no picture in {folder} or below it. Pictures are files whose names end in "
            f"{', '.join(SUFFIXES)}."
        )
    return sorted(found)


def _rows(
    network: Backbone,
    folder: Path,
    files: list[Path],
    top: int,
    workers: int | None,
    report: Report,
    bar: Any,
) -> Iterator[tuple[object, ...]]:
    classify = _fast(network)
    for read in _batches(network, files, workers):
        report.broken += [picture for _, picture in read if isinstance(picture, PictureError)]
        good = [(path, picture) for path, picture in read if not isinstance(picture, PictureError)]
        report.predicted += len(good)
        if good:
            names = [_name(path.relative_to(folder)) for path, _ in good]
            inputs = torch.from_numpy(np.stack([picture for _, picture in good]))
            with torch.inference_mode():
                logits = classify(inputs).float().cpu()
            best = top_classes(logits, top, names).itertuples(index=False, name=None)
            for file, rank, index, wnid, name, probability in best:
                yield file, index, wnid, name, f"{probability:.6f}", rank
        bar.update(len(read))


def _fast(network: Backbone) -> nn.Module:
    """Return the network from uint8 pictures to logits, its normalisations folded away."""
    weight = next(network.parameters())
    side = network.preprocessing.size
    classifier = folded(network.as_classifier(), weight.new_zeros(1, 3, side, side))

    class FromPictures(nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return classifier(network.preprocessing.normalise(pictures.to(weight.device)))

    return FromPictures()


def _batches(network: Backbone, files: list[Path], workers: int | None) -> Iterator[list[_Read]]:
    """Yield the pictures as squares, batch by batch, several batches being read ahead."""
    workers = workers or usable_cores()
    size = min(_BATCH, -(-len(files) // (2 * workers)))
    preprocessing = network.preprocessing

    def read(path: Path) -> _Read:
        try:
            return path, preprocessing.square(read_picture(path, at_least=preprocessing.resize))
        except PictureError as error:
            return path, error

    def read_batch(start: int) -> list[_Read]:
        return [read(path) for path in files[start : start + size]]

    return in_parallel(read_batch, range(0, len(files), size), workers)


def _name(path: Path) -> str:
    """Return a file's name for the table; bytes that are no UTF-8 become a question mark."""
    return os.fsencode(path.as_posix()).decode("utf-8", "replace")
