"""The single checks of an audit: each yields findings, or a sentence that all is well."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from k2c._system.advice import set_parameter
from k2c.datasets.duplicates import SIDE, same_images
from k2c.datasets.images import ImageArray
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.shortcut_checks import find_shortcut

SHOWN = 3  # examples in a sentence
FLAT = 8  # grey levels between darkest and brightest, below which an image shows nothing
NARROW = 64  # of 256 grey levels, below which an image was scaled wrongly or exposed badly


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a data set.

    Attributes
    ----------
    kind
        Which check found it.
    severity
        `"error"`: results on these data mean little. `"warning"`: look at it.
    sentence
        What is wrong, and what to do.
    rows
        The images concerned. Those of the test part count on from the last of the training part.
    """

    kind: str
    severity: str
    sentence: str
    rows: list[int] = field(default_factory=list, repr=False)


@dataclass(frozen=True)
class ImageView:
    """What an audit keeps of an image: what identifies its file, and if it could be read, what it looks like."""

    identity: str
    trouble: str | None
    signature: NDArray[np.float32] = field(default_factory=lambda: np.zeros(SIDE * SIDE, np.float32))
    traits: NDArray[np.float64] | None = None
    contrast: int = 0
    grey_range: int = 256


@dataclass(frozen=True)
class AuditCase:
    """What the checks look at: all images, the row where the test part begins, and the views."""

    data: LabelledImages
    test_begins: int | None
    views: list[ImageView]
    shortcut_auc: float

    @cached_property
    def readable(self) -> NDArray[np.intp]:
        """Rows of the images that could be read."""
        return np.flatnonzero([view.trouble is None for view in self.views])

    @cached_property
    def copies(self) -> list[list[int]]:
        """Groups of rows that hold the same image."""
        rows = self.readable
        if not len(rows):
            return []
        signatures = np.stack([self.views[row].signature for row in rows])
        groups = same_images([self.views[row].identity for row in rows], signatures)
        return [[int(rows[place]) for place in group] for group in groups]

    def names(self, groups: Sequence[Sequence[int]]) -> str:
        """Return the first few groups of rows by the names of their images."""
        images = self.data.table["image"]
        shown = [" = ".join(str(images.iloc[row]) for row in group[:4]) for group in groups[:SHOWN]]
        return ", ".join(shown) + (", ..." if len(groups) > SHOWN else "")

    def both_sides(self, group: Sequence[int]) -> bool:
        """Tell whether some of the rows are in the training part and some in the test part."""
        return self.test_begins is not None and min(group) < self.test_begins <= max(group)

    def labels_differ(self, group: Sequence[int]) -> bool:
        """Tell whether the rows have different labels; what is not known differs from nothing."""
        labels = self.data.labels[list(group)].reshape(len(group), -1).astype(np.float64)
        known = ~np.isnan(labels)
        low = np.where(known, labels, np.inf).min(axis=0)
        return bool((low < np.where(known, labels, -np.inf).max(axis=0)).any())


def check_files(case: AuditCase) -> Iterator[Finding | str]:
    """Files that cannot be read, and images that show nothing."""
    broken = [row for row, view in enumerate(case.views) if view.trouble]
    if broken:
        first = case.views[broken[0]].trouble or ""
        several = f"{len(broken):,} images cannot be read, the first: " if len(broken) > 1 else ""
        sentence = (
            f"{several}{first} Leave them out with readable(), or load the folder with "
            f"{set_parameter('missing', 'skip')}."
        )
        yield Finding("unreadable", "error", sentence, broken)
    empty = [int(row) for row in case.readable if case.views[row].contrast < FLAT]
    if empty:
        sentence = f"{_images(len(empty))} of one colour: {case.names([[row] for row in empty])}."
        yield Finding("empty", "error", sentence, empty)
    narrow = [int(row) for row in case.readable if FLAT <= case.views[row].grey_range < NARROW]
    if narrow:
        sentence = (
            f"{len(narrow):,} image{'s use' if len(narrow) > 1 else ' uses'} less than a quarter of the grey levels "
            f"({case.names([[row] for row in narrow])}): taken too dark or too bright, or values of 10 or 12 bits that "
            "were saved as 16. Look at them."
        )
        yield Finding("narrow range", "warning", sentence, narrow)
    if not broken and not empty:
        yield f"all {len(case.views):,} images can be read"


def check_copies(case: AuditCase) -> Iterator[Finding | str]:
    """Images that are there twice."""
    across = [group for group in case.copies if case.both_sides(group)]
    contradictory = [group for group in case.copies if case.labels_differ(group)]
    rest = [group for group in case.copies if group not in across and group not in contradictory]
    if across:
        sentence = (
            f"{_images(len(across))} in the training part and in the test part ({case.names(across)}): the test "
            "measures memory. Split again, or drop them from one part."
        )
        yield Finding("copy on both sides", "error", sentence, _flat(across))
    if contradictory:
        sentence = (
            f"{_images(len(contradictory))} there twice with different labels ({case.names(contradictory)}): one "
            "of them is wrong."
        )
        yield Finding("copy with another label", "error", sentence, _flat(contradictory))
    if rest:
        sentence = f"{_images(len(rest))} there more than once ({case.names(rest)}). Keep one of each."
        yield Finding("copy", "warning", sentence, _flat(rest))
    if not case.copies:
        yield "no image is there twice"


def check_patients(case: AuditCase) -> Iterator[Finding | str]:
    """Patients in the training part and in the test part."""
    if case.test_begins is None:
        return
    patients = case.data.patients
    shared = np.intersect1d(patients[: case.test_begins], patients[case.test_begins :])
    if len(shared):
        listed = ", ".join(shared[:SHOWN]) + (", ..." if len(shared) > SHOWN else "")
        sentence = (
            f"{len(shared):,} patient{'s are' if len(shared) > 1 else ' is'} in the training part and in the test "
            f"part ({listed}): their two eyes resemble each other. Split with split_by_patient."
        )
        rows = np.flatnonzero(np.isin(patients, shared)).tolist()
        yield Finding("patient on both sides", "error", sentence, rows)
    else:
        yield "no patient is on both sides"


def check_contradictions(case: AuditCase) -> Iterator[Finding | str]:
    """Labels that contradict the grades, or each other for one eye."""
    table, found = case.data.table, False
    wrong = _against_grade(case)
    if len(wrong):
        found = True
        sentence = (
            f"{_images(len(wrong))} labelled otherwise than the grade says "
            f"({case.names([[int(row)] for row in wrong])}): learn from the one that was given to the image itself."
        )
        yield Finding("label against grade", "error", sentence, wrong.tolist())
    if "eye" in table:
        known = table[table["eye"] != ""]
        groups = [list(rows) for rows in known.groupby(["patient", "eye"]).indices.values() if len(rows) > 1]
        eyes = [known.index[group].tolist() for group in groups]
        differing = [group for group in eyes if case.labels_differ(group)]
        if differing:
            found = True
            sentence = (
                f"{len(differing):,} eye{'s have' if len(differing) > 1 else ' has'} images with different labels "
                f"({case.names(differing)}). Taken years apart, both may be right."
            )
            yield Finding("eye with two labels", "warning", sentence, _flat(differing))
    if not found:
        yield "no label contradicts another"


def _against_grade(case: AuditCase) -> NDArray[np.intp]:
    """Return the rows whose label differs from what their grade says, by the limit that most labels follow."""
    table = case.data.table
    if "label" not in table or "grade" not in table or not table["grade"].notna().any():
        return np.empty(0, np.intp)
    grade = table["grade"].to_numpy(np.float64)
    wrong = [~np.isnan(grade) & ((grade >= limit) != (table["label"] == 1)) for limit in (1, 2)]
    return np.flatnonzero(min(wrong, key=np.count_nonzero))


def check_shortcuts(case: AuditCase) -> Iterator[Finding | str]:
    """Labels that the size of the file, the surround or the mean colour tell."""
    rows = case.readable
    columns = case.data.labels[rows].reshape(len(rows), -1)
    names = case.data.classes if case.data.multi_label else case.data.classes[1:]
    told, tried = False, []
    for place, name in enumerate(names):
        label = columns[:, place] if case.data.multi_label else columns[:, 0] == place + 1
        known = ~np.isnan(label.astype(np.float64))
        views = np.array([case.views[row].traits for row in rows[known]])
        result = (
            find_shortcut(views, label[known] == 1, case.data.patients[rows[known]]) if known.any() else None
        )
        if result is None:
            continue
        tried.append(result.auc)
        if result.beyond(case.shortcut_auc):
            told = True
            trait, auc = result.best
            sentence = (
                f"camera and crop alone tell '{name}' with an AUC of {result.auc:.2f} (0.5 is chance), {trait} alone "
                f"with {auc:.2f}. The classes seem to come from different collections: a network will learn that."
            )
            yield Finding("label given away", "error", sentence, rows[known].tolist())
    if not tried:
        yield "too few patients of each class to see whether camera and crop give the label away"
    elif not told:
        yield f"camera and crop do not give the label away (AUC {max(tried):.2f}; chance is 0.5)"


CHECKS: Sequence[Callable[[AuditCase], Iterator[Finding | str]]] = (
    check_files,
    check_copies,
    check_patients,
    check_contradictions,
    check_shortcuts,
)


def grey_range(image: ImageArray) -> int:
    """Return over how many grey levels an image goes, but for the 1 in 200 darkest and brightest pixels.

    A mark that was drawn into it is not counted.
    """
    below = np.cumsum(np.bincount(image.ravel(), minlength=256))
    low, high = np.searchsorted(below, [0.005 * image.size, 0.995 * image.size])
    return int(high - low)


def _images(number: int) -> str:
    return f"{number:,} image{'s are' if number > 1 else ' is'}"


def _flat(groups: Sequence[Sequence[int]]) -> list[int]:
    return sorted({row for group in groups for row in group})
