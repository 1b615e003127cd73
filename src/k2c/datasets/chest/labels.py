"""What the CSV file of chest films says: as the NIH publishes it, or with a column for each finding."""

import numpy as np
import pandas as pd

from k2c._system.printable import printable
from k2c.datasets.label_columns import YES_NO, LabelsCsv, plain_name
from k2c.errors import K2CError, unknown
from k2c.synthetic.chest.findings import FINDINGS, NO_FINDING

# What the columns are called, as `plain_name` gives it. The first that is there counts.
COLUMNS = {
    "image": "imageindex image file filename path imagepath imageid id",
    "patient": "patientid patient subjectid subject",
    "view": "viewposition view",
    "age": "patientage age",
    "sex": "patientgender patientsex sex gender",
    "follow_up": "followup",
    "findings": "findinglabels findings labels",
    "split": "split",
}


def chest_labels(csv: LabelsCsv) -> pd.DataFrame:
    """Return what a CSV file says of chest films.

    Returns
    -------
    pandas.DataFrame
        `image` (text as written), `patient`, where known `view`, `sex`, `age` (years), `follow_up` and `split`, and
        a column for each of `FINDINGS`: 1, 0 or NaN.

    Raises
    ------
    K2CError
        When the file lacks a column, or has a value that is not understood.
    """
    columns = csv.named(COLUMNS)
    if "image" not in columns:
        raise K2CError(
            f"{printable(csv.path)} has no column that names the film (Image Index, image or file). "
            f"It has: {csv.has()}."
        )
    table = pd.DataFrame({"image": csv.rows[columns["image"]]})
    for row in np.flatnonzero(table["image"] == ""):
        raise K2CError(f"{csv.at(row)}: no film is named.")
    # `00000013_005.png` is film 5 of patient 13
    own = table["image"].str.extract(r"(?:^|[/\\])(\d+)_\d+(?:\.\w+)?$")[0].fillna(table["image"])
    patient = csv.rows[columns["patient"]] if "patient" in columns else own
    table["patient"] = patient.where(patient != "", own)
    for name in ("view", "sex", "split"):
        if name in columns:
            table[name] = csv.rows[columns[name]]
    if "age" in columns:
        table["age"] = csv.ages(columns["age"])
    if "follow_up" in columns:
        table["follow_up"] = csv.numbers(columns["follow_up"])
    listed = columns.get("findings")
    return table.join(_from_lists(csv, listed) if listed else _from_columns(csv))


def _from_columns(csv: LabelsCsv) -> pd.DataFrame:
    columns = csv.named({name: plain_name(name) for name in FINDINGS})
    absent = [name for name in FINDINGS if name not in columns]
    if absent:
        raise K2CError(
            f"{printable(csv.path)} has neither a column Finding Labels nor one for each finding: "
            f"{', '.join(absent)} is missing. It has: {csv.has()}."
        )
    values = {name: csv.choices(columns[name], name, range(2), YES_NO) for name in FINDINGS}
    return pd.DataFrame(values, index=csv.rows.index).astype(np.float32)


def _from_lists(csv: LabelsCsv, column: str) -> pd.DataFrame:
    by_name = {plain_name(name): name for name in FINDINGS} | {plain_name(NO_FINDING): ""}
    found: dict[str, list[float]] = {"": [np.nan] * len(FINDINGS)}
    listed = csv.rows[column]
    for row, text in enumerate(listed):
        if text in found:
            continue
        words = [word.strip() for word in text.split("|")]
        for word in words:
            if plain_name(word) not in by_name:
                raise K2CError(f"{csv.at(row)}: {unknown('finding', printable(word), FINDINGS)}")
        present = {by_name[plain_name(word)] for word in words}
        found[text] = [float(name in present) for name in FINDINGS]
    values = np.array([found[text] for text in listed], np.float32)
    return pd.DataFrame(values, columns=list(FINDINGS), index=listed.index)
