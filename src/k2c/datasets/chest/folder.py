"""A folder of chest films and a CSV file of their findings: ChestX-ray14, or anybody's."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd

from k2c.datasets.chest.findings import FINDINGS, NO_FINDING
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.pictures import SUFFIXES
from k2c.datasets.sheets import SKIP_ADVICE, check_missing, find_sheet
from k2c.datasets.sources import FileSource
from k2c.datasets.splits import split_by_patient
from k2c.errors import K2CError, unknown

LABEL_FILES = ("dataentry2017", "dataentry2017v2020", "labels", "train")  # without case, signs and suffix
TEST_LIST = "test_list.txt"
# What the columns are called; compared without case, blanks and signs. The first that is there counts.
COLUMNS = {
    "image": "imageindex image file filename path id",
    "patient": "patientid patient subjectid subject",
    "view": "viewposition view",
    "age": "patientage age",
    "sex": "patientgender patientsex sex gender",
    "follow_up": "followup",
    "findings": "findinglabels findings labels",
}


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
        The CSV file. By default the one in the folder.
    missing
        What to do about rows without a film: `"error"`, or `"skip"` them, as when only a part was downloaded.
    test_fraction, seed
        For the split by patient, where there is no official one.

    Returns
    -------
    LabelledImages
        A column for each of `FINDINGS`; `image`, `patient`, `split` (`train` or `test`: by `test_list.txt` where the
        folder has it, else by patient; as the file says if it has a column `split`), `file`, and `view`, `age`,
        `sex`, `follow_up` where known. `data.filter(split="test")` takes one part.

    Raises
    ------
    K2CError
        When a folder, file, column or value is missing or not understood: which one, and what is expected.
    """
    folder = Path(folder).expanduser()
    check_missing(missing)
    path = find_sheet(folder, labels, LABEL_FILES, lambda path: _plain(path.stem), "findings")
    table = _read_sheet(path)
    table["file"] = _files(table["image"], folder)
    absent = table["file"].isna()
    if absent.all() or (absent.any() and missing == "error"):
        raise K2CError(
            f"{absent.sum():,} of the {len(table):,} films that {path} names are not in {folder}, the first is "
            f"'{table['image'][absent].iloc[0]}'." + ("" if absent.all() else f" {SKIP_ADVICE}")
        )
    table = table[~absent].reset_index(drop=True)
    source = FileSource([folder / file for file in table["file"]], name="chest films", grey=True)
    data = LabelledImages(table, source, FINDINGS, name=folder.resolve().name)
    return data if "split" in table else data.with_columns(split=_split(data, folder, test_fraction, seed))


def _read_sheet(path: Path) -> pd.DataFrame:
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise K2CError(f"{path} cannot be read as a CSV file: {str(error).strip()}.") from error
    plain = {_plain(column): column for column in reversed(raw.columns)}
    named = {
        meaning: next((raw[plain[name]].str.strip() for name in names.split() if name in plain), None)
        for meaning, names in COLUMNS.items()
    }
    if raw.empty or named["image"] is None:
        raise K2CError(
            f"{path} must have rows, and a column that names the film, such as Image Index or file."
        )
    table = pd.DataFrame({"image": named["image"]})
    # `00000013_005.png` is film 5 of patient 13
    own = table["image"].str.extract(r"(?:^|/)(\d+)_\d+\.\w+$")[0].fillna(table["image"])
    table["patient"] = own if named["patient"] is None else named["patient"]
    for name in ("view", "sex"):
        if (text := named[name]) is not None:
            table[name] = text
    for name in ("age", "follow_up"):
        if (text := named[name]) is not None:
            table[name] = pd.to_numeric(text.str.rstrip("Y"), errors="coerce")
    if "split" in plain:
        table["split"] = raw[plain["split"]].str.strip()
    return table.join(_findings(raw, named["findings"], plain, path))


def _findings(raw: pd.DataFrame, listed: pd.Series | None, plain: dict[str, str], path: Path) -> pd.DataFrame:
    """Return a column for each finding: 1, 0 or NaN."""
    if listed is not None:
        return _from_lists(listed, path)
    absent = [name for name in FINDINGS if _plain(name) not in plain]
    if absent:
        raise K2CError(
            f"{path} has neither a column Finding Labels nor one for each finding: {', '.join(absent)} is missing."
        )
    table = pd.DataFrame(index=raw.index)
    for name in FINDINGS:
        text = raw[plain[_plain(name)]].str.strip()
        values = pd.to_numeric(text.where(text != ""), errors="coerce")
        wrong = (text != "") & ~values.isin([0, 1])
        if wrong.any():
            line = int(np.flatnonzero(wrong)[0])
            raise K2CError(
                f"{path}, line {line + 2}: {name} is '{text.iloc[line]}', but must be 1, 0 or empty."
            )
        table[name] = values.astype(np.float32)
    return table


def _from_lists(listed: pd.Series, path: Path) -> pd.DataFrame:
    by_name = {_plain(name): name for name in FINDINGS} | {_plain(NO_FINDING): "", "": ""}
    found: dict[str, set[str]] = {}
    for line, text in enumerate(listed, start=2):
        if text in found:
            continue
        words = [_plain(word) for word in text.split("|")]
        for word in words:
            if word not in by_name:
                raise K2CError(f"{path}, line {line}: " + unknown("finding", text, FINDINGS))
        found[text] = {by_name[word] for word in words}
    return pd.DataFrame(
        {name: [np.float32(name in found[text]) for text in listed] for name in FINDINGS}, index=listed.index
    )


def _files(names: pd.Series, folder: Path) -> pd.Series:
    """Return each film's file, relative to the folder; None where it is missing."""
    by_name: dict[str, str] = {}
    for parent, _, files in os.walk(folder):
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                file = (Path(parent) / name).relative_to(folder)
                for way in (file, Path(file.name), file.with_suffix(""), Path(file.stem)):
                    by_name.setdefault(way.as_posix().casefold(), file.as_posix())
    return names.map(lambda name: by_name.get(name.replace("\\", "/").casefold()))


def _split(data: LabelledImages, folder: Path, test_fraction: float, seed: int) -> pd.Series:
    """Return `test` or `train` for each film: the official list's word, else by patient."""
    official = next(iter(sorted(folder.rglob(TEST_LIST))), None)
    if official is None:
        numbered = data.with_columns(row=np.arange(len(data)))
        test = set(split_by_patient(numbered, test_fraction, seed)[1].table["row"])
        return pd.Series(["test" if row in test else "train" for row in range(len(data))])
    listed = {Path(line.strip()).name for line in official.read_text().splitlines() if line.strip()}
    return data.table["image"].map(lambda name: "test" if Path(name).name in listed else "train")


def _plain(name: object) -> str:
    return re.sub(r"[^a-z0-9]", "", str(name).lower())
