"""A folder of fundus photographs and a CSV file of their grades."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from k2c.datasets.field_of_view import crop_to_eye
from k2c.datasets.fundus.contrast import METHODS, normalise_contrast
from k2c.datasets.fundus.labels import fundus_labels
from k2c.datasets.fundus.positives import CLASSES
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.labels_csv import read_labels_csv
from k2c.datasets.own_images import OwnImages, check_missing
from k2c.datasets.pictures import Picture
from k2c.datasets.sources import FileSource
from k2c.errors import K2CError, unknown

LABEL_FILES = ("trainlabels", "train", "labels")  # EyePACS, APTOS, anybody's
PREPARED = 1  # raise it when crop or contrast give other pixels: features of the old ones are stale


def fundus_folder(
    folder: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    positive: str = "referable",
    crop: bool = True,
    contrast: str | None = None,
    missing: str = "error",
) -> LabelledImages:
    """Load fundus photographs from a folder, with labels from a CSV file. Pictures are read when asked for.

    Understood are the layouts of EyePACS (`trainLabels.csv`: `image`, `level`), of APTOS (`train.csv`:
    `id_code`, `diagnosis`) and any CSV file with a header that has, in any order and case,

    - the picture: `image`, `file`, `filename`, `id_code`, ..., with or without folder and suffix;
    - the label: `grade`, `level`, `diagnosis`, ... (0 to 4, or words such as `mild`), or else `referable`,
      `dr` or `label` (0 or 1);
    - if known, the patient: `patient`, `patient_id`. Names such as `10_left` tell patient and eye. Else
      each picture counts as a patient of its own;
    - if known, `eye` (left, right), `quality` (good, usable, reject, or 0 to 1), and whatever else.

    Parameters
    ----------
    folder
        Pictures in it and below it.
    labels
        The CSV file: a name in the folder, or a path. By default the one in the folder.
    positive
        What label 1 means: `"referable"` retinopathy (grade 2 and up) or `"any"` (grade 1 and up).
    crop
        Cut the black surround away (`crop_to_eye`).
    contrast
        `"local_mean"` or `"clahe"` evens out illumination (`normalise_contrast`); None leaves it.
    missing
        What to do about rows without an image or a label, and about images that cannot be read: `"error"`, or
        `"skip"` them.

    Returns
    -------
    LabelledImages
        Classes healthy (0) and retinopathy (1). Columns `image`, `label`, `patient`, `eye`, `grade`,
        `quality`, `file` (relative to the folder), and the others of the CSV file.

    Raises
    ------
    K2CError
        When a folder, file, column or value is missing or not understood: which one, and what is expected.
    """
    check_missing(missing)
    if contrast is not None and contrast not in METHODS:
        raise K2CError(unknown("contrast normalisation", contrast, METHODS))
    own = OwnImages(Path(folder).expanduser())
    csv = read_labels_csv(own.labels_csv(labels, LABEL_FILES, "labels"))
    table = fundus_labels(csv, positive)
    rows, files = own.rows(csv, table["image"], table[["label", "grade"]], missing, details=["grade"])
    table = table.iloc[rows].reset_index(drop=True).assign(file=files).astype({"label": np.int64})
    table["image"] = _short_names(table["file"])
    columns = ["image", "label", "patient", "eye", "grade", "quality", "file"]
    source = FileSource(
        [own.folder / file for file in files],
        name="fundus photographs",
        prepare=partial(_prepare, crop=crop, contrast=contrast) if crop or contrast else None,
        variant=f"prepared {PREPARED}, crop {crop}, contrast {contrast}",
        margin=1.3 if crop else 1.0,  # with its surround, a photograph is up to a third larger than the eye
    )
    table = table[columns + [column for column in table if column not in columns]]
    return LabelledImages(table, source, CLASSES, own.folder.resolve().name, own.announced(source))


def _prepare(picture: Picture, crop: bool, contrast: str | None) -> Picture:
    if crop:
        picture = crop_to_eye(picture)
    return normalise_contrast(picture, contrast) if contrast else picture


def _short_names(files: pd.Series) -> pd.Series:
    stems = files.map(lambda file: Path(file).stem)
    return stems if stems.is_unique else files
