"""A folder of fundus photographs and a CSV file of their grades, whatever its columns are called."""

import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from k2c._system.printable import printable
from k2c.datasets.field_of_view import crop_to_eye
from k2c.datasets.fundus.contrast import METHODS, normalise_contrast
from k2c.datasets.fundus.positives import CLASSES, GRADES, binary_label
from k2c.datasets.image_names import without_suffix
from k2c.datasets.images import ImageArray
from k2c.datasets.label_columns import YES_NO, LabelsCsv, plain_name
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.labels_csv import read_labels_csv
from k2c.datasets.own_images import OwnImages, check_missing
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
    """Load fundus photographs from a folder, with labels from a CSV file. Images are read when asked for.

    Understood are the layouts of EyePACS (`trainLabels.csv`: `image`, `level`), of APTOS (`train.csv`:
    `id_code`, `diagnosis`) and any CSV file with a header that has, in any order and case,

    - the image: `image`, `file`, `filename`, `id_code`, ..., with or without folder and suffix;
    - the label: `grade`, `level`, `diagnosis`, ... (0 to 4, or words such as `mild`), or else `referable`,
      `dr` or `label` (0 or 1);
    - if known, the patient: `patient`, `patient_id`. Names such as `10_left` tell patient and eye. Else
      each image counts as a patient of its own;
    - if known, `eye` (left, right), `quality` (good, usable, reject, or 0 to 1), and whatever else.

    Parameters
    ----------
    folder
        Images in it and below it.
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
        Classes no retinopathy (0) and retinopathy (1). Columns `image`, `label`, `patient`, `eye`, `grade`,
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


def _prepare(image: ImageArray, crop: bool, contrast: str | None) -> ImageArray:
    if crop:
        image = crop_to_eye(image)
    return normalise_contrast(image, contrast) if contrast else image


def _short_names(files: pd.Series) -> pd.Series:
    stems = files.map(lambda file: Path(file).stem)
    return stems if stems.is_unique else files


# What the columns are called in the data sets that people have, as `plain_name` gives it.
COLUMNS = {
    "image": "image file filename imagename imageid imagepath path idcode id name img",
    "patient": "patient patientid subject subjectid person personid",
    "eye": "eye side laterality",
    "grade": "grade level diagnosis drgrade drlevel retinopathygrade adjudicateddrgrade severity",
    "quality": "quality imagequality overallquality",
    "referable": "referable referabledr rdr",
    "dr": "dr anydr retinopathy",
    "label": "label target class",
}
ANSWERS = ("referable", "dr", "label")
AGES = "age patientage"
QUALITY = {
    1.0: ("good", "excellent", "gradable"),
    0.5: ("usable", "acceptable", "adequate", "fair"),
    0.0: ("reject", "poor", "bad", "ungradable", "insufficient"),
}
EYES = {"left": "left", "l": "left", "os": "left", "right": "right", "r": "right", "od": "right"}

_PATIENT_AND_EYE = re.compile(
    r"(?:^|.*[/\\])(?P<patient>.+?)[_-](?P<eye>left|right)(?:\.\w+)?$", re.IGNORECASE
)
_NO_DISEASE = (
    "none nodr noretinopathy nodiabeticretinopathy noapparentretinopathy noapparentdr normal healthy"
)
_NOT_YET = ("", "dr", "npdr", "nonproliferative", "nonproliferativedr", "diabeticretinopathy", "retinopathy")
_LAST = (
    "proliferative proliferativedr proliferativediabeticretinopathy pdr proliferatedr"  # the last is APTOS's
)
_GRADE_WORDS = {
    **dict.fromkeys(_NO_DISEASE.split(), 0),
    **{GRADES[grade] + rest: grade for grade in (1, 2, 3) for rest in _NOT_YET},
    **dict.fromkeys(_LAST.split(), 4),
}


def fundus_labels(csv: LabelsCsv, positive: str) -> pd.DataFrame:
    """Return what a CSV file says of fundus photographs.

    Parameters
    ----------
    csv
        The file.
    positive
        `"referable"` or `"any"`.

    Returns
    -------
    pandas.DataFrame
        `image` (text as written), `label` (0, 1 or NaN), `patient` (text), `eye` (left, right or empty),
        `grade` (0 to 4 or NaN), `quality` (0 to 1 or NaN), then the file's other columns.

    Raises
    ------
    K2CError
        When the file lacks a column, or has a value that is not understood.
    """
    columns = _recognised(csv)
    raw = csv.rows
    table = pd.DataFrame({"image": raw[columns["image"]]})
    for row in np.flatnonzero(table["image"] == ""):
        raise K2CError(f"{csv.at(row)}: no image is named.")
    graded = "grade" in columns
    table["grade"] = csv.choices(columns["grade"], "the grade", range(5), _GRADE_WORDS) if graded else np.nan
    answers = {
        name: csv.choices(columns[name], name, range(2), YES_NO) for name in ANSWERS if name in columns
    }
    table["label"] = binary_label(table["grade"] if graded else None, answers, positive, csv.path)
    from_name = table["image"].str.extract(_PATIENT_AND_EYE)
    own = table["image"].map(without_suffix)
    table["patient"] = _or_else(csv, columns.get("patient"), from_name["patient"].fillna(own))
    eye = _or_else(csv, columns.get("eye"), from_name["eye"].fillna(""))
    table["eye"] = eye.str.lower().map(EYES).fillna("")
    table["quality"] = _quality(csv, columns["quality"]) if "quality" in columns else np.nan
    kept = {"referable", "dr"} & columns.keys()
    used = {column for meaning, column in columns.items() if meaning not in kept}
    others = [name for name in raw if name not in used and name.lower() not in table]
    return table.join(pd.DataFrame({name: _other(csv, name) for name in others}, index=raw.index))


def _recognised(csv: LabelsCsv) -> dict[str, str]:
    """Return the columns' names by what they mean."""
    found = csv.named(COLUMNS)
    if "image" not in found:
        raise K2CError(
            f"{printable(csv.path)} has no column that names the image (image, file or id_code). "
            f"It has: {csv.has()}."
        )
    if not found.keys() & {"grade", *ANSWERS}:
        raise K2CError(
            f"{printable(csv.path)} has no column with a label: grade, level or diagnosis (0 to 4), or referable, "
            f"dr or label (0 or 1). It has: {csv.has()}."
        )
    return found


def _quality(csv: LabelsCsv, column: str) -> pd.Series:
    words = {word: value for value, group in QUALITY.items() for word in group}
    text = csv.rows[column]
    numbers = csv.numbers(column).fillna(text.map(plain_name).map(words))
    for row in np.flatnonzero((text != "") & ~numbers.between(0, 1)):
        known = ", ".join(group[0] for group in QUALITY.values())
        raise K2CError(
            f"{csv.at(row)}: the quality is '{printable(text.iloc[row])}', but must be one of {known}, or a number "
            "from 0 (useless) to 1."
        )
    return numbers


def _or_else(csv: LabelsCsv, column: str | None, otherwise: pd.Series) -> pd.Series:
    if column is None:
        return otherwise
    return csv.rows[column].where(csv.rows[column] != "", otherwise)


def _other(csv: LabelsCsv, column: str) -> pd.Series:
    """Return a column that the kit has no word for: as numbers where it is all numbers."""
    if plain_name(column) in AGES.split():
        return csv.ages(column)
    numbers = csv.numbers(column)
    text = csv.rows[column]
    return numbers if numbers.notna().any() and (numbers.notna() | (text == "")).all() else text
