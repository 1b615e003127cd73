"""The CSV file that comes with fundus photographs, whatever its columns are called."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from k2c.datasets.fundus.positives import binary_label
from k2c.errors import K2CError

# What the columns are called in the data sets that people have; compared without case, blanks and signs.
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
QUALITY = {
    1.0: ("good", "excellent", "gradable"),
    0.5: ("usable", "acceptable", "adequate", "fair"),
    0.0: ("reject", "poor", "bad", "ungradable", "insufficient"),
}
EYES = {"left": "left", "l": "left", "os": "left", "right": "right", "r": "right", "od": "right"}

_PATIENT_AND_EYE = re.compile(
    r"(?:^|.*[/\\])(?P<patient>.+?)[_-](?P<eye>left|right)(?:\.\w+)?$", re.IGNORECASE
)


def read_sheet(path: Path, positive: str) -> pd.DataFrame:
    """Read a CSV file of labels.

    Parameters
    ----------
    path
        With a header line.
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
        When the file is empty, lacks a column, or has a value that is not understood.
    """
    raw = _read(path)
    columns = _recognised(raw, path)
    named = {meaning: raw[column] for meaning, column in columns.items()}
    sheet = pd.DataFrame({"image": named.pop("image").str.strip()})
    for row in np.flatnonzero(sheet["image"] == ""):
        raise K2CError(f"{path}, line {row + 2}: no picture is named.")
    grade = named.pop("grade", None)
    sheet["grade"] = np.nan if grade is None else _numbers(grade, path, "the grade", (0, 1, 2, 3, 4))
    answers: dict[str, pd.Series] = {
        name: _numbers(named[name], path, name, (0, 1))
        for name in ("referable", "dr", "label")
        if name in named
    }
    sheet["label"] = binary_label(sheet["grade"] if grade is not None else None, answers, positive, path)
    from_name = sheet["image"].str.extract(_PATIENT_AND_EYE)
    own = sheet["image"].str.replace(r"\.\w+$", "", regex=True)
    sheet["patient"] = _or_else(named.pop("patient", None), from_name["patient"].fillna(own))
    eye = _or_else(named.pop("eye", None), from_name["eye"].fillna(""))
    sheet["eye"] = eye.str.lower().map(EYES).fillna("")
    quality = named.pop("quality", None)
    sheet["quality"] = np.nan if quality is None else _quality(quality, path)
    kept = {"referable", "dr"} & columns.keys()
    used = {column for meaning, column in columns.items() if meaning not in kept}
    others = [name for name in raw if name not in used and str(name).lower() not in sheet]
    return sheet.join(raw[others].apply(_as_numbers))


def _read(path: Path) -> pd.DataFrame:
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except pd.errors.EmptyDataError:
        raw = pd.DataFrame()
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise K2CError(f"{path} is not a CSV file: {str(error).strip()}.") from error
    except OSError as error:
        raise K2CError(f"{path} cannot be read: {error.strerror}.") from error
    if raw.empty:
        raise K2CError(f"{path} is empty: it needs a header line, and a line for each picture below it.")
    return raw


def _plain(name: object) -> str:
    return re.sub(r"[^a-z]", "", str(name).lower())


def _recognised(raw: pd.DataFrame, path: Path) -> dict[str, str]:
    """Return the columns' names by what they mean; of several for one meaning, the first in the list."""
    plain = {_plain(column): column for column in reversed(raw.columns)}
    found: dict[str, str] = {}
    for meaning, names in COLUMNS.items():
        for name in names.split():
            if name in plain:
                found[meaning] = plain[name]
                break
    has = ", ".join(map(str, raw.columns))
    if "image" not in found:
        raise K2CError(
            f"{path} has no column that names the picture (image, file or id_code). It has: {has}."
        )
    if not found.keys() & {"grade", "referable", "dr", "label"}:
        raise K2CError(
            f"{path} has no column with a label: grade, level or diagnosis (0 to 4), or referable, dr or label "
            f"(0 or 1). It has: {has}."
        )
    return found


def _numbers(column: pd.Series, path: Path, what: str, allowed: tuple[int, ...]) -> pd.Series:
    text = column.str.strip()
    numbers = pd.to_numeric(text.where(text != ""), errors="coerce")
    for row in np.flatnonzero((text != "") & ~numbers.isin(allowed)):
        raise K2CError(
            f"{path}, line {row + 2}: {what} is '{text.iloc[row]}', but must be {allowed[0]} to {allowed[-1]} "
            "or empty."
        )
    return numbers.astype(np.float64)


def _quality(column: pd.Series, path: Path) -> pd.Series:
    words = {word: value for value, group in QUALITY.items() for word in group}
    text = column.str.strip().str.lower()
    numbers = pd.to_numeric(text, errors="coerce").fillna(text.map(words))
    for row in np.flatnonzero((text != "") & ~numbers.between(0, 1)):
        known = ", ".join(group[0] for group in QUALITY.values())
        raise K2CError(
            f"{path}, line {row + 2}: the quality is '{text.iloc[row]}', but must be one of {known}, or a number "
            "from 0 (useless) to 1."
        )
    return numbers


def _or_else(column: pd.Series | None, otherwise: pd.Series) -> pd.Series:
    if column is None:
        return otherwise
    text = column.str.strip()
    return text.where(text != "", otherwise)


def _as_numbers(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column.where(column.str.strip() != ""), errors="coerce")
    return (
        numbers if (numbers.notna() | (column.str.strip() == "")).all() and numbers.notna().any() else column
    )
