"""A user's own folder of images and the CSV file of their labels: which row is which file, and what has no partner."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from k2c._system.advice import set_parameter
from k2c._system.load_report import LoadReport
from k2c._system.printable import printable
from k2c.datasets.dicom import DicomFacts, dicom_facts, dicom_notes, has_dicom_mark, is_dicom
from k2c.datasets.image_formats import named_as_image
from k2c.datasets.image_names import ImageNames
from k2c.datasets.images import ImageError, in_parallel, read_image, size_of_image
from k2c.datasets.label_columns import LabelsCsv, plain_name
from k2c.datasets.own_folder import files_below
from k2c.datasets.sources import FileSource
from k2c.errors import K2CError, unknown

MISSING = ("error", "skip")
SKIP_ADVICE = f"To go on without, use {set_parameter('missing', 'skip')}."
DECODED = (
    5000  # images that `missing="skip"` decodes to see whether they can be read; of more, the headers only
)
TABLES = (".csv", ".csv.gz", ".tsv")


def check_missing(missing: str) -> None:
    """Raise `K2CError` unless `missing` is a way to deal with rows that lack an image or a label."""
    if missing not in MISSING:
        raise K2CError(unknown("way with missing images", missing, MISSING))


@dataclass
class OwnImages:
    """A folder of images.

    Attributes
    ----------
    folder
        Where they are.
    images, others
        Files in it and below it that are named as images (or begin as DICOM files do), and all others; relative to
        the folder.
    refused
        Files that are never opened, each with the reason: links that lead out of the folder, pipes, empty files, ...
    used
        Files that a row or a list names, and lists that were read.
    csv
        The file of labels, once its rows were matched.
    report
        What was left out so far.
    """

    folder: Path
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    csv: LabelsCsv | None = None
    report: LoadReport = field(default_factory=lambda: LoadReport("images"))

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise K2CError(f"There is no folder {printable(self.folder)}.")
        for path in files_below(self.folder, self.report):
            is_image = named_as_image(path) or has_dicom_mark(path)
            kind = self.images if is_image else self.others
            kind.append(path.relative_to(self.folder).as_posix())
        if not self.images:
            raise K2CError(
                f"{printable(self.folder)} holds no image (.jpg, .png, .tif, .dcm, ...), and no folder below it does. "
                f"{self.report}"
            )
        self.refused = {name: why for why, names in self.report.left_out.items() for name in names}

    def labels_csv(self, labels: str | os.PathLike[str] | None, known: Sequence[str], what: str) -> Path:
        """Return the CSV file of the folder.

        Parameters
        ----------
        labels
            The name of a file in the folder, or a path. None or an empty text looks for a known name, then for the
            only CSV file in the folder itself.
        known
            Names that are preferred, the first that is there; as `plain_name` gives them, without suffix.
        what
            Is in the file, for the sentence: `"labels"`.
        """
        if labels:
            for path in (self.folder / labels, Path(labels).expanduser()):
                if path.is_file():
                    return path
            raise K2CError(
                f"There is no file {printable(os.fspath(labels))}, and none of that name in {printable(self.folder)}."
            )
        tables = sorted(name for name in (*self.others, *self.refused) if name.lower().endswith(TABLES))
        tables = [name for name in tables if "/" not in name and self.refused.get(name) != "hidden"]
        tables = [name for name in tables if not name.startswith("~$")]  # Excel's mark of an open file
        by_name = {plain_name(name.lower().removesuffix(".gz")[:-4]): name for name in reversed(tables)}
        preferred = [by_name[name] for name in known if name in by_name]
        if not preferred and len(tables) != 1:
            which = f"several CSV files ({printable(', '.join(tables))})" if tables else "no CSV file"
            raise K2CError(
                f"{printable(self.folder)} has {which}: name the one with the {what}: "
                f"{set_parameter('labels', 'NAME.csv')}."
            )
        chosen = (preferred or tables)[0]
        if chosen in self.refused:
            raise K2CError(f"{printable(self.folder / chosen)} is {self.refused[chosen]}.")
        return self.folder / chosen

    def rows(
        self,
        csv: LabelsCsv,
        names: pd.Series,
        labels: pd.DataFrame,
        missing: str,
        details: Sequence[str] = (),
    ) -> tuple[list[int], list[str]]:
        """Return the rows of a CSV file that have an image and a label, and the file of each.

        Parameters
        ----------
        csv
            The file.
        names
            Of the images, as written in each of its rows.
        labels
            What is known of each, NaN where it is not.
        missing
            What to do about rows without an image, without any label, and whose image cannot be read: `"error"`, or
            `"skip"` them.
        details
            Columns of `labels` that are no label themselves, but must be alike where an image has two rows.

        Raises
        ------
        K2CError
            When a name fits several images, one image has two rows with different labels, rows are incomplete and
            `missing` is `"error"`, or no row is complete.
        """
        files = ImageNames(self.images, [*self.others, *self.refused]).files(names, csv.at)
        no_label = np.flatnonzero(labels.drop(columns=list(details)).isna().all(axis=1)).tolist()
        without = {row: "the folder does not have the image" for row, file in enumerate(files) if not file}
        unlabelled = {row: "there is no label" for row in no_label if row not in without}
        kept = {row: file for row, file in enumerate(files) if row not in without and row not in unlabelled}
        errors = self.unreadable(kept, missing)
        unreadable = {row: f"it cannot be read: {error.reason}" for row, error in errors.items()}
        for rows, what in (
            (without, "name an image that the folder does not have"),
            (unlabelled, "have no label"),
            (unreadable, "name an image that cannot be read"),
        ):
            if rows and missing == "error":
                first = next(iter(rows))
                why = f"{errors[first]} " if first in errors else ""
                raise K2CError(
                    f"{len(rows):,} of the {len(files):,} rows of {printable(csv.path)} {what}, the first is "
                    f"'{printable(names[first])}' in line {csv.lines[first]}. {why}{SKIP_ADVICE}"
                )
            for row in (
                row for row in rows if files[row] not in self.refused
            ):  # the report has those already
                self.report.leave_out(names[row], rows[row])
        complete = self._once(csv, [row for row in kept if row not in unreadable], files, labels)
        self.used.update(files)
        self.csv, self.report.read = csv, len(complete)
        if not complete:
            raise K2CError(
                f"No row of {printable(csv.path)} has a label and an image in {printable(self.folder)} that can be "
                f"read. {self.report}"
            )
        return complete, [files[row] for row in complete]

    def announced(self, source: FileSource) -> LoadReport:
        """Say what was read and what was left out, and return it."""
        self._without_a_row()
        if source.full_scale is not None:
            self.report.note(
                f"Pixels of more than 8 bits are scaled so that {source.full_scale:g} is white: what the files "
                "declare, or what their values need."
            )
        self.report.announce()
        return self.report

    def unreadable(self, files: dict[int, str], missing: str) -> dict[int, ImageError]:
        """Return what is wrong with images: their headers are looked at, all of each where it would be left out."""
        decode = missing == "skip" and len(files) <= DECODED
        facts: list[DicomFacts] = []

        def trouble(row: int) -> ImageError | None:
            path = self.folder / files[row]
            if files[row] in self.refused:
                reason = self.refused[files[row]]
                return ImageError(f"{printable(path)} is {reason}.", reason)
            try:
                read_image(path, at_least=64) if decode else size_of_image(path)
                if is_dicom(path):
                    facts.append(dicom_facts(path))
            except ImageError as error:
                return error
            return None

        if missing == "skip" and not decode:
            self.report.note(
                f"Of more than {DECODED:,} images, only the headers were looked at: readable() decodes them all."
            )
        errors = dict(zip(files, in_parallel(trouble, list(files)), strict=True))
        for note in dicom_notes(facts):
            self.report.note(note)
        return {row: error for row, error in errors.items() if error}

    def _once(self, csv: LabelsCsv, rows: list[int], files: list[str], labels: pd.DataFrame) -> list[int]:
        """Return the first row of each image; refuse rows that contradict each other."""
        first: dict[str, int] = {}
        for row in rows:
            before = first.setdefault(files[row], row)
            if before == row:
                continue
            if not labels.iloc[before].equals(labels.iloc[row]):
                raise K2CError(
                    f"{printable(csv.path)} names {printable(files[row])} twice with different labels, in the lines "
                    f"{csv.lines[before]} and {csv.lines[row]}: keep the right one."
                )
            self.report.leave_out(
                f"{files[row]} in line {csv.lines[row]}", "the row repeats an earlier one of the same image"
            )
        return list(first.values())

    def _without_a_row(self) -> None:
        if self.csv is None:
            return
        for note in self.csv.notes:
            self.report.note(note)
        for name in self.images:
            if name not in self.used:
                self.report.leave_out(name, f"no row of {self.csv.path.name} names it")
        for name in self.others:
            if name not in self.used and self.folder / name != self.csv.path:
                self.report.leave_out(name, "it is not an image")
