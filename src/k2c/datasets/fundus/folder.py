"""A folder of fundus photographs and a CSV file of their grades."""

import os
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from k2c.datasets.fundus.contrast import METHODS, normalise_contrast
from k2c.datasets.fundus.positives import CLASSES
from k2c.datasets.fundus.sheet import read_sheet
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.pictures import SUFFIXES, Picture, crop_to_eye
from k2c.datasets.sheets import SKIP_ADVICE, check_missing, find_sheet
from k2c.datasets.sources import FileSource
from k2c.errors import K2CError, unknown

LABEL_FILES = ("trainlabels.csv", "train.csv", "labels.csv")  # EyePACS, APTOS, anybody's
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
    - the label: `grade`, `level`, `diagnosis`, ... (0 to 4), or else `referable`, `dr` or `label` (0 or 1);
    - if known, the patient: `patient`, `patient_id`. Names such as `10_left` tell patient and eye. Else
      each picture counts as a patient of its own;
    - if known, `eye` (left, right), `quality` (good, usable, reject, or 0 to 1), and whatever else.

    Parameters
    ----------
    folder
        Pictures in it and below it.
    labels
        The CSV file. By default the one in the folder.
    positive
        What label 1 means: `"referable"` retinopathy (grade 2 and up) or `"any"` (grade 1 and up).
    crop
        Cut the black surround away (`crop_to_eye`).
    contrast
        `"local_mean"` or `"clahe"` evens out illumination (`normalise_contrast`); None leaves it.
    missing
        What to do about rows without a picture or a label: `"error"`, or `"skip"` them.

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
    folder = Path(folder).expanduser()
    check_missing(missing)
    if contrast is not None and contrast not in METHODS:
        raise K2CError(unknown("contrast normalisation", contrast, METHODS))
    sheet_path = find_sheet(folder, labels, LABEL_FILES, lambda path: path.name.lower(), "labels")
    sheet = read_sheet(sheet_path, positive)
    sheet["file"] = _files_of(sheet["image"], folder, sheet_path)
    sheet = _complete(sheet, folder, sheet_path, missing)
    sheet["image"] = _short_names(sheet["file"])
    columns = ["image", "label", "patient", "eye", "grade", "quality", "file"]
    table = sheet[columns + [column for column in sheet if column not in columns]]
    source = FileSource(
        [folder / file for file in table["file"]],
        name="fundus photographs",
        prepare=partial(_prepare, crop=crop, contrast=contrast) if crop or contrast else None,
        variant=f"prepared {PREPARED}, crop {crop}, contrast {contrast}",
        margin=1.3 if crop else 1.0,  # with its surround, a photograph is up to a third larger than the eye
    )
    return LabelledImages(table, source, CLASSES, name=folder.resolve().name)


def _prepare(picture: Picture, crop: bool, contrast: str | None) -> Picture:
    if crop:
        picture = crop_to_eye(picture)
    return normalise_contrast(picture, contrast) if contrast else picture


def _files_of(names: pd.Series, folder: Path, sheet_path: Path) -> list[str]:
    """Return the file of each picture that the CSV file names, relative to the folder; empty where it is missing."""
    by_name = _pictures_below(folder)
    if not by_name:
        raise K2CError(
            f"{folder} holds no picture ({', '.join(SUFFIXES[:4])}, ...), and no folder below it does."
        )
    files: list[str] = []
    line_of: dict[str, int] = {}
    for line, name in enumerate(names, start=2):
        key = name.replace("\\", "/").casefold()
        found = by_name.get(key) or by_name.get(key.rpartition("/")[2]) or set()
        if len(found) > 1:
            raise K2CError(
                f"{sheet_path}, line {line}: '{name}' may be {' or '.join(sorted(found))}. "
                "Write it with its folder and its suffix."
            )
        files.append(next(iter(found), ""))
        if files[-1] and line_of.setdefault(files[-1], line) != line:
            raise K2CError(
                f"{sheet_path} names {files[-1]} twice, in the lines {line_of[files[-1]]} and {line}: keep one."
            )
    return files


def _pictures_below(folder: Path) -> dict[str, set[str]]:
    """Return the pictures by every way to name them: with and without folder and suffix, in lower case."""
    by_name: dict[str, set[str]] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                file = (Path(parent) / name).relative_to(folder)
                for way in {file, file.with_suffix(""), Path(file.name), Path(file.stem)}:
                    by_name.setdefault(way.as_posix().casefold(), set()).add(file.as_posix())
    return by_name


def _complete(sheet: pd.DataFrame, folder: Path, sheet_path: Path, missing: str) -> pd.DataFrame:
    """Refuse, or leave out, rows without a picture and rows without a label."""
    for absent, what in (
        (sheet["file"] == "", f"name a picture that {folder} does not have"),
        (sheet["label"].isna(), "have no label"),
    ):
        if absent.any() and missing == "error":
            first = sheet["image"][absent].iloc[0]
            raise K2CError(
                f"{absent.sum():,} of the {len(sheet):,} rows of {sheet_path} {what}, the first is '{first}'. "
                f"{SKIP_ADVICE}"
            )
    complete = sheet[(sheet["file"] != "") & sheet["label"].notna()].reset_index(drop=True)
    if complete.empty:
        raise K2CError(f"No row of {sheet_path} has both a picture in {folder} and a label.")
    return complete.astype({"label": np.int64})


def _short_names(files: pd.Series) -> pd.Series:
    stems = files.map(lambda file: Path(file).stem)
    return stems if stems.is_unique else files
