"""Photographs for a pretrained network: samples that installed packages carry, and your own."""

import os
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from k2c.datasets.pictures import SUFFIXES, Picture, PictureError, read_picture, read_pictures
from k2c.errors import K2CError, unknown

_WNID = re.compile(r"n\d{8}(?=\D|$)")


@dataclass(frozen=True)
class Sample:
    """A photograph that an installed package carries.

    Attributes
    ----------
    package, path
        Where it is.
    names
        The ImageNet classes that a person would accept for it; none where ImageNet has no name near it.
    """

    package: str
    path: str
    names: tuple[str, ...] = ()


# ImageNet has no motorcycle, no dahlia and no launcher: the nearest names that it has stand in.
SAMPLES = {
    "cat": Sample("skimage", "data/chelsea.png", ("tabby", "tiger cat", "Egyptian cat")),
    "coffee": Sample("skimage", "data/coffee.png", ("espresso", "cup", "coffee mug")),
    "cameraman": Sample("skimage", "data/camera.png", ("tripod", "reflex camera")),
    "motorcycle": Sample("skimage", "data/motorcycle_left.png", ("moped", "motor scooter")),
    "rocket": Sample("skimage", "data/rocket.jpg", ("missile", "projectile")),
    "temple": Sample("sklearn", "datasets/images/china.jpg", ("palace",)),
    "dahlia": Sample("sklearn", "datasets/images/flower.jpg", ("daisy",)),
    "admiral": Sample("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", ("military uniform",)),
    "astronaut": Sample("skimage", "data/astronaut.png"),
    "horse": Sample("skimage", "data/horse.png"),
    "retina": Sample("skimage", "data/retina.jpg"),
    "microaneurysms": Sample("skimage", "data/microaneurysms.png"),
}


@dataclass(frozen=True)
class Labelled:
    """A photograph, uint8 (H, W, 3), and the names (or WordNet ids) of the ImageNet classes that are right."""

    name: str
    picture: Picture
    names: tuple[str, ...]


def sample_photograph(name: str) -> Picture:
    """Return one of the sample photographs, uint8 (H, W, 3). `SAMPLES` lists them.

    Raises
    ------
    K2CError
        When there is no such sample, or the package came without its pictures.
    """
    if name not in SAMPLES:
        raise K2CError(unknown("sample photograph", name, SAMPLES))
    sample = SAMPLES[name]
    path = Path(str(files(sample.package))) / sample.path
    try:
        return read_picture(path)
    except PictureError as error:
        raise K2CError(
            f"The package {sample.package} came without {sample.path}. Install it again."
        ) from error


def own_photographs(path: str | os.PathLike[str], at_most: int = 500) -> dict[str, Picture]:
    """Return the pictures of a file or a folder, by file name; what cannot be read is left out.

    Parameters
    ----------
    path
        A picture, or a folder with pictures directly in it.
    at_most
        Pictures that are read of a folder, the first by name.

    Raises
    ------
    K2CError
        When there is no picture that can be read.
    """
    path = Path(path).expanduser()
    if not path.is_dir():
        return {path.name: read_picture(path)}
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)[:at_most]
    read = {file.name: picture for file, picture in read_pictures(found) if isinstance(picture, np.ndarray)}
    if not read:
        raise K2CError(f"There is no picture in {path} that can be read.")
    return read


def label_in_name(file_name: str) -> str | None:
    """Return the WordNet id that a file of ImageNet begins with (`n02123045_1234.JPEG`), or None."""
    found = _WNID.match(file_name)
    return found[0] if found else None


def labelled_photographs(path: str | os.PathLike[str] = "", at_least: int = 20) -> list[Labelled]:
    """Return photographs with labels: your own where their file names have them, else the samples.

    Parameters
    ----------
    path
        A folder. Its pictures are taken when at least `at_least` of them have ImageNet's names, which begin
        with the WordNet id, as in `n02123045_1234.JPEG`.
    """
    if path and Path(path).expanduser().is_dir():
        labels = {name: (label_in_name(name), picture) for name, picture in own_photographs(path).items()}
        own = [Labelled(name, picture, (label,)) for name, (label, picture) in labels.items() if label]
        if len(own) >= at_least:
            return own
    return [Labelled(name, sample_photograph(name), one.names) for name, one in SAMPLES.items() if one.names]
