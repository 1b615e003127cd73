"""Images with labels and what else is known of them: one contract for every image data set of the kit."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from k2c._system.load_report import LoadReport, together
from k2c.datasets.images import ImageArray, ImageError, in_parallel, resize
from k2c.datasets.labelled_checks import Rows, as_index, check_table
from k2c.datasets.sources import ArraySource, ImageSource
from k2c.errors import K2CError, unknown

Result = TypeVar("Result")


class LabelledImages:
    """N images, and a table with a row for each.

    Labels are kept in the table, so that whatever selects rows selects images and labels alike. There are
    two kinds. *One label per image*: the table has a column `label` with the number of its class. *Several
    findings an image*: the table has a column for each class with 1, 0 or NaN (not known).

    Parameters
    ----------
    table
        A row per image. Columns: `image` (text, names the image), `patient` (text), the labels, and any
        others, such as `eye`, `grade` and `quality`.
    images
        Where they come from: a `ImageSource` or uint8 (N, H, W, 3) or (N, H, W).
    classes
        Names of the classes.
    name
        What the data set is, for `repr`.
    report
        What was read and left out, where the images are a user's own.

    Attributes
    ----------
    table : pandas.DataFrame
        Rows 0 to N - 1, as given. Change it through `with_columns`.
    classes : tuple of str
        Names of the classes.
    report : LoadReport or None
        What was read and left out when the images were loaded; None for those that the kit draws or downloads. A
        part of the images keeps the report of all.

    Raises
    ------
    K2CError
        When the table and the images do not fit, or a label is none of the classes.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        images: ImageSource | NDArray[np.uint8],
        classes: Sequence[str],
        name: str = "images",
        report: LoadReport | None = None,
    ) -> None:
        source = images if isinstance(images, ImageSource) else ArraySource(images, name)
        if len(table) != len(source):
            raise K2CError(f"The table has {len(table):,} rows, but there are {len(source):,} images.")
        self.table = table.reset_index(drop=True)
        self.classes = tuple(classes)
        self.name, self.report = name, report
        self._sources: tuple[ImageSource, ...] = (source,)
        self._places = np.stack([np.zeros(len(table), np.int64), np.arange(len(table))], axis=1)
        check_table(self.table, self.classes)

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        patients = self.table["patient"].nunique()
        counted = ", ".join(f"{name}: {count:,}" for name, count in self.counts().items())
        return f"{self.name}: {len(self):,} images of {patients:,} patients ({counted})"

    @property
    def multi_label(self) -> bool:
        """Whether an image has several findings, instead of one label."""
        return "label" not in self.table

    @property
    def labels(self) -> NDArray[Any]:
        """One label per image: int64 (N,). Several findings: float32 (N, classes), 1, 0 or NaN (not known)."""
        if self.multi_label:
            return self.table[list(self.classes)].to_numpy(np.float32)
        return self.table["label"].to_numpy(np.int64)

    @property
    def patients(self) -> NDArray[np.str_]:
        """Whose image each is, str (N,). Splits never share one."""
        return self.table["patient"].to_numpy(str)

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class (with each finding)."""
        if self.multi_label:
            found = (self.table[list(self.classes)] == 1).sum()
            return {name: int(found[name]) for name in self.classes}
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes, counts, strict=True)}

    def image(self, index: int, at_least: int | None = None) -> ImageArray:
        """Return one image, uint8 (H, W, 3) or (H, W), in its own size.

        Parameters
        ----------
        index
            Its row.
        at_least
            Pixels of the shorter side that are enough; large files are then read several times faster.

        Raises
        ------
        ImageError
            When it cannot be read.
        """
        source, place = self._places[index]
        return self._sources[source].image(int(place), at_least)

    def file_size(self, index: int) -> tuple[int, int] | None:
        """Return height and width of an image as it was taken, before a crop; None where `image` has that size."""
        source, place = self._places[index]
        return self._sources[source].file_size(int(place))

    def identity(self, index: int) -> str:
        """Return a text that differs when the pixels of two images differ."""
        source, place = self._places[index]
        return self._sources[source].identity(int(place))

    def masks(self, index: int) -> dict[str, NDArray[np.bool_]]:
        """Return what is known to be where in an image: bool (H, W) by name; `K2CError` where nothing is."""
        source, place = self._places[index]
        return self._sources[source].masks(int(place))

    def each(
        self,
        function: Callable[[ImageArray], Result],
        *,
        at_least: int | None = None,
        workers: int | None = None,
        progress: bool | str = False,
    ) -> Iterator[Result]:
        """Yield `function(image)` for every image in order, read and computed ahead by several threads.

        Parameters
        ----------
        function
            Of a uint8 image (H, W, 3) or (H, W). It is called from several threads at once.
        at_least, workers
            As of `image`; threads (one per processor by default).
        progress
            Show a progress bar, with these words before it.

        Raises
        ------
        ImageError
            At the first image that cannot be read; `readable` leaves those out.
        """
        words = progress if isinstance(progress, str) else "reading images" if progress else None
        return in_parallel(lambda row: function(self.image(row, at_least)), range(len(self)), workers, words)

    def images(self, size: int, workers: int | None = None, progress: bool = False) -> ImageArray:
        """Return every image, resized to a square.

        Returns
        -------
        numpy.ndarray
            uint8 (N, size, size, 3), or (N, size, size) when all are grey.
        """
        shrunk = self.each(
            lambda image: resize(image, size), at_least=size, workers=workers, progress=progress
        )
        together: ImageArray | None = None
        for row, image in enumerate(shrunk):
            if together is None:
                together = np.empty((len(self), *image.shape), np.uint8)
            if image.ndim > together.ndim - 1:  # the first colour image after grey ones
                together = np.repeat(together[..., None], 3, axis=-1)
            together[row] = image if image.ndim == together.ndim - 1 else image[..., None]
        return np.empty((0, size, size, 3), np.uint8) if together is None else together

    def readable(self, workers: int | None = None, progress: bool = False) -> "LabelledImages":
        """Return the images that can be read, and say which cannot. Every one is decoded to see."""
        bad = self._errors(workers, progress)
        good = self.subset([row for row in range(len(self)) if row not in bad])
        if bad:
            good.report = together([self.report], "images", len(good))
            for row, error in bad.items():
                good.report.leave_out(self.table["image"].iloc[row], f"it cannot be read: {error.reason}")
            good.report.announce()
        return good

    def unreadable(self, workers: int | None = None, progress: bool = False) -> list[tuple[int, str]]:
        """Return the rows whose image cannot be read, each with the reason. Every one is decoded to see."""
        return [(row, str(error)) for row, error in self._errors(workers, progress).items()]

    def _errors(self, workers: int | None, progress: bool) -> dict[int, ImageError]:
        def trouble(row: int) -> ImageError | None:
            try:
                self.image(row)
            except ImageError as error:
                return error
            return None

        words = "reading images" if progress else None
        errors = in_parallel(trouble, range(len(self)), workers, words)
        return {row: error for row, error in enumerate(errors) if error}

    def subset(self, rows: Rows) -> "LabelledImages":
        """Return the images at `rows` (integers, a mask or a slice), in that order. None is read."""
        chosen = np.arange(len(self))[as_index(rows, len(self))]
        return self._with(self.table.iloc[chosen].reset_index(drop=True), self._places[chosen])

    def filter(
        self, condition: Callable[[pd.DataFrame], Any] | None = None, **columns: Any
    ) -> "LabelledImages":
        """Return the images that fulfil all conditions.

        Parameters
        ----------
        condition
            A function of the table that returns a mask: `data.filter(lambda table: table.quality > 0.5)`.
        **columns
            Values that a column must have, one or a list: `data.filter(eye="left", grade=[0, 1])`.

        Raises
        ------
        K2CError
            When there is no such column.
        """
        mask = np.ones(len(self), bool)
        if condition is not None:
            mask &= np.asarray(condition(self.table), dtype=bool)
        for column, value in columns.items():
            if column not in self.table:
                raise K2CError(unknown("column", column, self.table.columns))
            mask &= self.table[column].isin(value if isinstance(value, list | tuple | set) else [value])
        return self.subset(mask)

    def merge(self, *others: "LabelledImages") -> "LabelledImages":
        """Return the images of all, one data set after the other; a column that one lacks is NaN there.

        The same patient id in two of them counts as one patient.

        Raises
        ------
        K2CError
            When their classes differ.
        """
        parts = (self, *others)
        for other in others:
            if (other.classes, other.multi_label) != (self.classes, self.multi_label):
                raise K2CError(
                    f"Only data sets of the same classes can be merged: {self.name} has "
                    f"{', '.join(self.classes)}; {other.name} has {', '.join(other.classes)}."
                )
        offsets = np.cumsum([0, *(len(part._sources) for part in parts)])
        places = [part._places + np.array([offset, 0]) for part, offset in zip(parts, offsets, strict=False)]
        table = pd.concat([part.table for part in parts], ignore_index=True)
        merged = self._with(table, np.concatenate(places))
        reports = [part.report for part in parts]
        if any(reports):
            merged.report = together(reports, "images", sum(report.read for report in reports if report))
        merged._sources = tuple(source for part in parts for source in part._sources)
        merged.name = " + ".join(dict.fromkeys(part.name for part in parts))
        return merged

    def with_columns(self, **columns: Any) -> "LabelledImages":
        """Return the same images with columns added or replaced, `label` for one: N values or one for all."""
        table = self.table.assign(**columns)
        check_table(table, self.classes)
        return self._with(table, self._places)

    def fingerprint(self) -> str:
        """Return a sha256 of the images in their order, not of their labels: a key for what is made of them."""
        digest = hashlib.sha256()
        for row in range(len(self)):
            digest.update(self.identity(row).encode() + b"\n")
        return digest.hexdigest()

    def _with(self, table: pd.DataFrame, places: NDArray[np.int64]) -> "LabelledImages":
        new = object.__new__(type(self))
        new.__dict__ |= self.__dict__ | {"table": table, "_places": places}
        return new
