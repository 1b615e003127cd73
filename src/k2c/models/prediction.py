"""A folder of photographs in, a table of what a network takes them for out: the command `k2c predict`."""

import csv
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from k2c._system.atomic import atomic_path
from k2c._system.load_report import LoadReport
from k2c._system.machine import usable_cores
from k2c._system.printable import spreadsheet_cell
from k2c.datasets.image_formats import named_as_image
from k2c.datasets.images import ImageArray, ImageError, in_parallel, read_image
from k2c.datasets.own_folder import HIDDEN, OF_SYSTEM, files_below
from k2c.datasets.photographs import files_of_photographs
from k2c.errors import K2CError
from k2c.models.class_maps import AnswerGraph, Answers
from k2c.models.imagenet import imagenet_classes
from k2c.models.own_classifier import OwnClassifier, imagenet_classifier, load_classifier
from k2c.models.prediction_sheet import PredictionSheet
from k2c.models.views import MARGINS, square_of

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
    top: int | None = 1,
    network: str = "efficientnet_lite0",
    model: str | os.PathLike[str] | None = None,
    html_file: str | os.PathLike[str] | None = None,
    device: str | torch.device = "cpu",
    workers: int | None = None,
    progress: bool = False,
) -> PredictionReport:
    """Write what a network takes the images of a folder for.

    Threads read and resize the next images while the network computes.

    Parameters
    ----------
    folder
        Every file in it and in the folders below is tried, whatever its name is. DICOM files are read where the
        model is one of films.
    csv_file
        The table: a row for each of the `top` classes of each image, in the order of the files' names, with
        `file` (relative to the folder; a name that a spreadsheet would compute has an apostrophe before it),
        `index`, `wnid`, `name`, `probability`, `rank`. It appears when it is complete.
    top
        Classes per image, the most probable first; None for all of them.
    network
        Name of the backbone (see `k2c.models.backbone_table`).
    model
        A file that `k2c.models.OwnClassifier.save` wrote: its classes instead of ImageNet's, and its network; `wnid`
        is empty then. Where an image may have several of its classes, each has a probability of its own.
    html_file
        A sheet of the images, with maps of what speaks for the first class.
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
    own = None if model is None else load_classifier(model)
    written = [Path(file) for file in (csv_file, html_file) if file is not None]
    files = find_files(folder, report.load, *written, dicom=own is not None and own.kind == "film")
    if own is None:
        own = imagenet_classifier(network)
    most = len(own.classes)
    if not 1 <= (top := most if top is None else top) <= most:
        raise K2CError(f"Each image can have 1 to {most:,} classes in the table, and {top:,} are asked for.")
    own.network.to(device)
    try:
        with ExitStack() as stack:
            stream = stack.enter_context(
                stack.enter_context(atomic_path(csv_file)).open("w", encoding="utf-8", newline="")
            )
            sheet = stack.enter_context(_sheet(html_file, own, f"Images of {folder.name}"))
            bar = stack.enter_context(_bar(len(files), progress))
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(COLUMNS)
            for batch in _answered(own, folder, files, workers, report, bar, sheet is not None):
                table.writerows(_rows(own, batch, top, ids=model is None))
                for place, name in enumerate(batch.names):
                    if sheet is not None:
                        sheet.add(name, batch.squares[place], batch.answers, place)
            if not report.predicted:
                raise K2CError(f"There is no image in {folder} that can be read. {report.load}")
    except OSError as error:
        raise K2CError(f"The table cannot be written to {csv_file} ({error.strerror}).") from error
    return report


def _sheet(
    file: str | os.PathLike[str] | None, own: OwnClassifier, title: str
) -> AbstractContextManager[PredictionSheet | None]:
    return nullcontext() if file is None else PredictionSheet(file, own, title)


def _bar(total: int, progress: bool) -> Any:
    return tqdm(total=total, desc="predicting", unit="image", leave=False, disable=not progress)


def find_files(folder: Path, report: LoadReport, *written: Path, dicom: bool = False) -> list[Path]:
    """Return the files in a folder and below that may be images, sorted; the others go into the report.

    Parameters
    ----------
    *written
        Files that are going to be written: they may lie in the folder, and are none of its images.
    dicom
        Whether DICOM files are images, too.

    Raises
    ------
    K2CError
        When there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise K2CError(f"{folder} {what}. Name a folder with images in it.")
    found = files_below(folder, report) if dicom else files_of_photographs(folder, report)
    outputs = {path.resolve() for path in written}
    files = [path for path in found if path.resolve() not in outputs]
    if not files:
        raise K2CError(f"There is no image in {folder} or below it. {report}")
    return files


@dataclass
class _Batch:
    names: list[str]
    squares: NDArray[np.uint8]
    answers: Answers


def _rows(own: OwnClassifier, batch: _Batch, top: int, ids: bool) -> Iterator[list[object]]:
    """Yield the rows of the table; the ids of WordNet belong to ImageNet's classes alone."""
    wnids = list(imagenet_classes()["wnid"]) if ids else [""] * len(own.classes)
    best = batch.answers.probabilities.topk(top, dim=1)
    for file, indices, values in zip(batch.names, best.indices.tolist(), best.values.tolist(), strict=True):
        for rank, (index, value) in enumerate(zip(indices, values, strict=True), start=1):
            row = (file, index, wnids[index], own.classes[index], f"{value:.6f}", rank)
            yield [spreadsheet_cell(cell) for cell in row]


def _answered(
    own: OwnClassifier,
    folder: Path,
    files: list[Path],
    workers: int | None,
    report: PredictionReport,
    bar: Any,
    maps: bool,
) -> Iterator[_Batch]:
    graph = AnswerGraph(own, maps=maps).eval()
    device = next(own.network.parameters()).device
    for read in _batches(own, files, workers):
        for path, image in read:
            if isinstance(image, ImageError):
                report.load.leave_out(path.relative_to(folder).as_posix(), image.reason)
        good = [(path, image) for path, image in read if not isinstance(image, ImageError)]
        report.load.read += len(good)
        if good:
            names = [path.relative_to(folder).as_posix() for path, _ in good]
            squares = np.stack([image for _, image in good])
            with torch.inference_mode():
                answers = graph(torch.from_numpy(squares).to(device))
            yield _Batch(names, squares, Answers(*(part.cpu() for part in answers)))
        bar.update(len(read))


def _batches(own: OwnClassifier, files: list[Path], workers: int | None) -> Iterator[list[_Read]]:
    """Yield the images as squares, batch by batch, several batches being read ahead."""
    workers = workers or usable_cores()
    size = min(_BATCH, -(-len(files) // (2 * workers)))
    preprocessing = own.network.preprocessing
    at_least = round(preprocessing.resize * MARGINS[own.kind])

    def read(path: Path) -> _Read:
        try:
            return path, square_of(read_image(path, at_least=at_least), own.kind, preprocessing)
        except ImageError as error:
            return path, error

    def read_batch(start: int) -> list[_Read]:
        return [read(path) for path in files[start : start + size]]

    return in_parallel(read_batch, range(0, len(files), size), workers)
