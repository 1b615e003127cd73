"""MedMNIST: medical images in small standard sizes, from its files of arrays."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from k2c._system.atomic import atomic_path
from k2c._system.sealed import look_once
from k2c.datasets.fetching import fetch
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.registry import Registry
from k2c.datasets.sources import ArraySource
from k2c.errors import K2CError, unknown

SIZES = (28, 64, 128, 224)
SPLITS = ("train", "val", "test")
LARGE = 1 << 26  # bytes; an array larger than that is unpacked once and mapped into memory


@dataclass(frozen=True)
class Collection:
    """One of MedMNIST's data sets.

    Attributes
    ----------
    title
        For messages and `repr`.
    classes
        In the order of the files.
    multi_label
        Whether the labels are a matrix of findings instead of the number of a class.
    """

    title: str
    classes: tuple[str, ...]
    multi_label: bool = False


COLLECTIONS = {
    "retinamnist": Collection("RetinaMNIST", ("none", "mild", "moderate", "severe", "proliferative")),
    "chestmnist": Collection(
        "ChestMNIST",
        (
            "Atelectasis",
            "Cardiomegaly",
            "Effusion",
            "Infiltration",
            "Mass",
            "Nodule",
            "Pneumonia",
            "Pneumothorax",
            "Consolidation",
            "Edema",
            "Emphysema",
            "Fibrosis",
            "Pleural_Thickening",
            "Hernia",
        ),
        multi_label=True,
    ),
}


def load_medmnist(
    name: str, size: int = 28, split: str | Sequence[str] = SPLITS, registry: Registry | None = None
) -> LabelledImages:
    """Load a data set of MedMNIST, downloaded once.

    The files hold no patient numbers: `patient` numbers the images, and whether one patient is on both
    sides of a split cannot be told.

    Parameters
    ----------
    name
        `"retinamnist"` or `"chestmnist"`.
    size
        Side of the images: 28, 64, 128 or 224 pixels.
    split
        `"train"`, `"val"` or `"test"`, or several; all three by default. Column `split` tells which.
    registry
        Another registry than the kit's own.

    Returns
    -------
    LabelledImages
        RetinaMNIST: `label` is the grade, 0 to 4. ChestMNIST: one column per finding.

    Raises
    ------
    FetchError
        When it is neither cached nor to be had.
    K2CError
        When name, size or split do not exist, or the file is not what it should be.

    References
    ----------
    Yang et al.: MedMNIST v2, Scientific Data 10 (2023).
    """
    if name not in COLLECTIONS:
        raise K2CError(unknown("MedMNIST data set", name, COLLECTIONS))
    if size not in SIZES:
        raise K2CError(f"size={size} is not one of {', '.join(map(str, SIZES))}, the sizes of MedMNIST.")
    wanted = [split] if isinstance(split, str) else list(split)
    for part in wanted:
        if part not in SPLITS:
            raise K2CError(unknown("split", part, SPLITS))
    path = fetch(f"{name}-{size}", registry)
    parts = [_read_split(path, COLLECTIONS[name], part) for part in wanted]
    together = parts[0].merge(*parts[1:])
    together.name = f"{COLLECTIONS[name].title} {size}x{size}, {' + '.join(wanted)}"
    return together


def _read_split(path: Path, collection: Collection, split: str) -> LabelledImages:
    images = read_member(path, f"{split}_images")
    labels = read_member(path, f"{split}_labels")
    width = len(collection.classes) if collection.multi_label else 1
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or labels.shape != (len(images), width):
        raise K2CError(
            f"{path} is no {collection.title}: its {split} images are {images.dtype} {images.shape} and its "
            f"labels {labels.shape}."
        )
    names = [f"{split}_{row}" for row in range(len(images))]
    table = pd.DataFrame({"image": names, "patient": names, "split": split})
    if collection.multi_label:
        table[list(collection.classes)] = labels.astype(np.float32)
    else:
        table["label"] = labels[:, 0].astype(np.int64)
    source = ArraySource(images, f"{collection.title} images")
    return LabelledImages(table, source, collection.classes, name=collection.title)


def read_member(path: Path, name: str) -> NDArray[Any]:
    """Return one array of an `.npz` file. Nothing in the file is run (no pickles).

    A large one is unpacked beside the file the first time, and from then on mapped into memory, so that
    opening it costs neither time nor memory.

    Raises
    ------
    K2CError
        When the file has no such array, or it is damaged.
    """
    member = f"{name}.npy"
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(member)
            if info.file_size > LARGE and (unpacked := _unpacked(archive, info, path)):
                return np.load(unpacked, mmap_mode="r", allow_pickle=False)
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name]
    except KeyError as error:
        raise K2CError(f"{path} has no array '{name}'.") from error
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise K2CError(f"{path} cannot be read as a file of arrays: {error}.") from error


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Path | None:
    """Unpack a member beside its archive; None where that is not allowed (a read-only cache)."""
    # The checksum of the content: another edition of the archive gets another file.
    target = path.with_name(f"{path.stem}.{Path(info.filename).stem}.{info.CRC:08x}.npy")
    if target.is_file() and look_once(target, lambda file: _crc_problem(file, info)) is None:
        return target
    try:
        with atomic_path(target) as part, archive.open(info) as packed, part.open("wb") as file:
            while chunk := packed.read(1 << 20):
                file.write(chunk)
    except OSError:
        return None
    return target


def _crc_problem(file: Path, info: zipfile.ZipInfo) -> str | None:
    """Say whether an unpacked file is not as its archive has it, so that it is unpacked again."""
    if file.stat().st_size != info.file_size:
        return "its size"
    return None if zlib.crc32(np.memmap(file, np.uint8, mode="r").data) == info.CRC else "its checksum"
