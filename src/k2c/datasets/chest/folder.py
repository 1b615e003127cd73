"""A folder of chest films and a CSV file of their findings: ChestX-ray14, or anybody's."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from k2c._system.printable import printable
from k2c.datasets.image_names import ImageNames
from k2c.datasets.label_columns import YES_NO, LabelsCsv, plain_name
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.labels_csv import read_labels_csv, read_list
from k2c.datasets.own_images import OwnImages, check_missing
from k2c.datasets.sources import FileSource
from k2c.datasets.splits import split_by_patient
from k2c.errors import K2CError, unknown
from k2c.synthetic.chest.findings import FINDINGS, NO_FINDING

LABEL_FILES = ("dataentry2017", "dataentry2017v2020", "labels", "train")  # without case, signs and suffix
TEST_LIST, TRAIN_LIST = "test_list.txt", "train_val_list.txt"


def chest_folder(
    folder: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    *,
    missing: str = "error",
    test_fraction: float = 0.2,
    seed: int = 0,
) -> LabelledImages:
    """Load chest films from a folder, with findings from a CSV file. Films are read, in grey, when asked for.

    Understood are ChestX-ray14 as the NIH publishes it (`Data_Entry_2017.csv`: `Image Index`, `Finding Labels`
    separated by `|`, `Patient ID`, ...; films in any folders below) and any CSV file with a column that names the
    film and a column for each of the 14 findings: 1, 0, or empty where it is not known.

    Parameters
    ----------
    folder
        Films in it and below it.
    labels
        The CSV file: a name in the folder, or a path. By default the one in the folder.
    missing
        What to do about rows without a film or any finding, and about films that cannot be read: `"error"`, or
        `"skip"` them, as when only a part was downloaded.
    test_fraction, seed
        For the split by patient, where there is no official one.

    Returns
    -------
    LabelledImages
        A column for each of `FINDINGS`; `image`, `patient`, `file`, `split`, and `view`, `age`, `sex`, `follow_up`
        where known. `split` is `train` or `test`: as the file says if it has such a column; by `test_list.txt` and
        `train_val_list.txt` where the folder has them; else by patient. `data.filter(split="test")` takes one part.

    Raises
    ------
    K2CError
        When a folder, file, column or value is missing or not understood: which one, and what is expected.
    """
    check_missing(missing)
    own = OwnImages(Path(folder).expanduser())
    csv = read_labels_csv(own.labels_csv(labels, LABEL_FILES, "findings"))
    table = chest_labels(csv)
    rows, files = own.rows(csv, table["image"], table[list(FINDINGS)], missing)
    table = table.iloc[rows].reset_index(drop=True).assign(file=files)
    source = FileSource([own.folder / file for file in files], name="chest films", grey=True)
    data = LabelledImages(table, source, FINDINGS, own.folder.resolve().name)
    if "split" not in table:
        data = data.with_columns(split=_split(data, own, test_fraction, seed))
    data.report = own.announced(source)
    return data


def _split(data: LabelledImages, own: OwnImages, test_fraction: float, seed: int) -> list[str]:
    """Return `test` or `train` for each film: the official lists' word, else by patient."""
    files = data.table["file"].tolist()
    test, train = (_listed(own, name, files) for name in (TEST_LIST, TRAIN_LIST))
    if test is None and train is None:
        numbered = data.with_columns(row=np.arange(len(data)))
        chosen = set(split_by_patient(numbered, test_fraction, seed)[1].table["row"])
        return ["test" if row in chosen else "train" for row in range(len(data))]
    if test is None:
        test = set(files) - (train or set())
    if both := test & (train or set()):
        raise K2CError(f"{TEST_LIST} and {TRAIN_LIST} both name {printable(min(both))}: take it out of one.")
    own.report.note(
        f"The lists that come with the films put {len(test):,} of {len(files):,} into the test part."
    )
    if train is not None and (neither := len(set(files) - test - train)):
        own.report.note(f"Films in neither list count as training films: {neither:,}.")
    return ["test" if file in test else "train" for file in files]


def _listed(own: OwnImages, name: str, files: list[str]) -> set[str] | None:
    """Return the films that a list in the folder names; None where there is no such list."""
    found = next((other for other in own.others if Path(other).name.lower() == name), None)
    if found is None:
        return None
    own.used.add(found)
    path = own.folder / found
    lines = read_list(path)
    names = ImageNames(files, [])
    named = names.files([text for _, text in lines], lambda row: f"{printable(path)}, line {lines[row][0]}")
    return set(named) - {""}


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
