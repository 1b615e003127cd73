"""A folder of your own images with classes of your own: a subfolder for each class, or a CSV file."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from k2c._system.printable import printable
from k2c.datasets.label_columns import NOT_KNOWN, YES_NO, LabelsCsv
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.labels_csv import read_labels_csv
from k2c.datasets.own_images import SKIP_ADVICE, OwnImages, check_missing
from k2c.datasets.sources import FileSource
from k2c.errors import K2CError

COLUMNS = {
    "image": "image file filename imagename imagepath path imageid id name img",
    "patient": "patient patientid subject subjectid person personid group",
    "label": "label class target category kind",
}
_ANSWERS = {"0", "1", "0.0", "1.0", *YES_NO, *NOT_KNOWN}


def load_images(
    folder: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    missing: str = "error",
) -> LabelledImages:
    """Load images of your own. They are read when asked for; what was read and left out is shown.

    Without a CSV file the folder holds a subfolder for each class, whose name is the name of the class: its images
    are all below it. With a CSV file, which has a column for the image (`image`, `file`, ...),

    - a column `label` (or `class`) has the name of the class of each image; or else
    - each column of 0 and 1 (or no and yes) is a finding: an image may have several, or none. Empty is not known;
    - a column `patient` says whose image it is, if known: no patient is in both parts of a split. Else each image
      counts as a patient of its own.

    Parameters
    ----------
    folder
        Images in it and below it.
    labels
        The CSV file: a name in the folder, or a path. Left out, subfolders are classes where there are two or more, and
        else the only CSV file in the folder is taken.
    missing
        What to do about rows without an image or a label, and about images that cannot be read: `"error"`, or
        `"skip"` them.

    Returns
    -------
    LabelledImages
        Columns `image` (the file, relative to the folder), `patient`, `label` or the findings, and the others of the
        CSV file.

    Raises
    ------
    K2CError
        When a folder, file, column or value is missing or not understood: which one, and what is expected.
    """
    check_missing(missing)
    own = OwnImages(Path(folder).expanduser())
    subfolders = sorted({name.split("/")[0] for name in own.images if "/" in name})
    if labels is None and len(subfolders) > 1:
        table, classes = _by_folder(own, subfolders, missing)
    else:
        table, classes = _by_csv(own, labels, missing)
    source = FileSource([own.folder / name for name in table["image"]])
    return LabelledImages(table, source, classes, own.folder.resolve().name, own.announced(source))


def _by_folder(own: OwnImages, classes: list[str], missing: str) -> tuple[pd.DataFrame, list[str]]:
    files = [name for name in own.images if "/" in name]
    errors = own.unreadable(dict(enumerate(files)), missing)
    if errors and missing == "error":
        raise K2CError(f"{next(iter(errors.values()))} {SKIP_ADVICE}")
    for row, error in errors.items():
        own.report.leave_out(files[row], f"it cannot be read: {error.reason}")
    for name in own.images:
        if "/" not in name:
            own.report.leave_out(name, "it lies in no class's folder")
    for name in own.others:
        own.report.leave_out(name, "it is not an image")
    good = [name for row, name in enumerate(files) if row not in errors]
    own.report.read = len(good)
    named = [name.split("/")[0] for name in good]
    if empty := set(classes) - set(named):
        raise K2CError(
            f"No image of the class {printable(min(empty))} can be read. Add some, or remove the folder."
        )
    table = pd.DataFrame({"image": good, "patient": good, "label": [classes.index(name) for name in named]})
    return table, classes


def _by_csv(
    own: OwnImages, labels: str | os.PathLike[str] | None, missing: str
) -> tuple[pd.DataFrame, list[str]]:
    csv = read_labels_csv(own.labels_csv(labels, ("labels",), "labels"))
    columns = csv.named(COLUMNS)
    if "image" not in columns:
        raise K2CError(
            f"{printable(csv.path)} has no column that names the image (image, file or path). It has: {csv.has()}."
        )
    names = csv.rows[columns["image"]]
    found, classes = _classes(csv, columns)
    rows, files = own.rows(csv, names, found, missing)
    patient = csv.rows[columns["patient"]] if "patient" in columns else names
    table = pd.DataFrame(
        {"image": files, "patient": patient.where(patient != "", names).iloc[rows].to_list()}
    )
    table = table.join(found.iloc[rows].reset_index(drop=True))
    others = [name for name in csv.rows if name not in {*columns.values(), *found, *table}]
    table = table.join(csv.rows[others].iloc[rows].reset_index(drop=True))
    return (table.astype({"label": np.int64}) if "label" in found else table), classes


def _classes(csv: LabelsCsv, columns: dict[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the labels of each row, NaN where they are not known, and the names of the classes."""
    if "label" in columns:
        text = csv.rows[columns["label"]]
        classes = sorted(set(text) - {""})
        if len(classes) < 2:
            raise K2CError(f"{printable(csv.path)} has one class only: {printable(', '.join(classes))}.")
        return pd.DataFrame({"label": text.map({name: place for place, name in enumerate(classes)})}), classes
    used = set(columns.values())
    findings = [name for name in csv.rows if name not in used and set(csv.rows[name].str.lower()) <= _ANSWERS]
    if not findings:
        raise K2CError(
            f"{printable(csv.path)} has neither a column label nor columns of 0 and 1, one for each finding. "
            f"It has: {csv.has()}."
        )
    values = {name: csv.choices(name, name, range(2), YES_NO) for name in findings}
    return pd.DataFrame(values).astype(np.float32), findings
