"""A folder of synthetic photographs with three planted defects, for the exercise that audits it."""

import atexit
import base64
import io
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from k2c.datasets.fundus.synthetic import synthetic_fundus

SIDE, MARK = 128, 5  # pixels of a photograph, and of the mark in its corner
PATIENTS, COPIES, SPLIT_APART = 30, 4, 3


@cache
def planted_folder(seed: int = 0) -> Path:
    """Write a folder of photographs with planted defects, and return it; it is deleted when the process ends.

    Parameters
    ----------
    seed
        Other eyes, and other photographs with defects.

    Returns
    -------
    pathlib.Path
        PNG files of 128 x 128 pixels, and `labels.csv` with a row each: `image` (the file), `patient`, `eye`, `label`
        (1 is referable retinopathy) and `part` (training or test).
    """
    images, table, _ = _planted(seed)
    return _written(table.to_csv(index=False), map(Image.fromarray, images))


def packed_folder(seed: int) -> str:
    """Return what `planted_folder(seed)` holds as one text, for `unpacked_folder`: 0.3 MB, with JPEG photographs.

    With it, code that may not know the seed gets the photographs: from the seed, the defects follow.
    """
    images, table, _ = _planted(seed)
    photographs = []
    for image in images:
        Image.fromarray(image).save(file := io.BytesIO(), "JPEG", quality=90)
        photographs.append(base64.b85encode(file.getvalue()).decode("ascii"))
    return "\n".join([*photographs, table.to_csv(index=False)])


@cache
def unpacked_folder(packed: str) -> Path:
    """Write the folder that `packed_folder` has packed, and return it; it is deleted when the process ends."""
    *photographs, table = packed.split("\n", 2 * PATIENTS + COPIES)
    return _written(table, (Image.open(io.BytesIO(base64.b85decode(text))) for text in photographs))


def _written(table: str, images: Iterable[Image.Image]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="k2c-audit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "labels.csv").write_text(table, encoding="utf-8")
    for number, image in enumerate(images):
        image.save(folder / f"photo{number:03d}.png")
    return folder


def planted_defects(seed: int = 0) -> dict[str, list[str]]:
    """Return what is wrong with `planted_folder(seed)`.

    Returns
    -------
    dict
        `copies`: the files that show an eye which another file shows as well, under another patient's name. `marks`:
        the files with a bright mark in a corner, which only positives have. `patients`: those with an eye in the
        training part and one in the test part. Each is sorted.
    """
    return _planted(seed)[2]


@cache
def _planted(seed: int) -> tuple[np.ndarray, pd.DataFrame, dict[str, list[str]]]:
    random = np.random.default_rng([seed, 21])
    data = synthetic_fundus(2 * PATIENTS, prevalence=0.3, size=SIDE, seed=seed, cache=False)
    images = np.array(data.images(SIDE))
    table = data.table[["patient", "eye", "label"]].copy()
    patients = table["patient"].unique()
    table["part"] = np.where(
        table["patient"].isin(random.choice(patients, PATIENTS // 3, replace=False)), "test", "training"
    )

    apart = random.choice(patients, SPLIT_APART, replace=False)
    for patient in apart:
        table.loc[table.index[table["patient"] == patient], "part"] = ["training", "test"]

    positive = np.flatnonzero(table["label"] == 1)
    marked = random.choice(positive, round(0.8 * len(positive)), replace=False)
    images[marked, -2 * MARK : -MARK, MARK : 2 * MARK] = 230

    copied = random.choice(np.flatnonzero(~table["patient"].isin(apart)), COPIES, replace=False)
    again = np.clip(images[copied] * 0.93 + random.normal(0, 1.5, images[copied].shape), 0, 255).astype(
        np.uint8
    )
    names = [f"patient{PATIENTS + number:05d}" for number in range(COPIES)]
    table = pd.concat([table, table.iloc[copied].assign(patient=names)], ignore_index=True)
    images = np.concatenate([images, again])

    order = random.permutation(len(table))
    table, images = table.iloc[order].reset_index(drop=True), images[order]
    table.insert(0, "image", [f"photo{number:03d}.png" for number in range(len(table))])
    files = table["image"].to_numpy()[np.argsort(order)]  # by the place before the permutation
    twice = [*copied, *range(2 * PATIENTS, 2 * PATIENTS + COPIES)]
    with_mark = [*marked, *(2 * PATIENTS + np.flatnonzero(np.isin(copied, marked)))]
    defects = {"copies": sorted(files[twice]), "marks": sorted(files[with_mark]), "patients": sorted(apart)}
    return images, table, {name: [str(value) for value in found] for name, found in defects.items()}
