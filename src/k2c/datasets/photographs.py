"""Photographs for a pretrained network: samples that installed packages carry, and your own."""

import os
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from k2c._system.load_report import LoadReport
from k2c.datasets.dicom import is_dicom
from k2c.datasets.images import ImageArray, ImageError, read_image, read_images
from k2c.datasets.own_folder import files_below
from k2c.errors import K2CError, unknown

_MEDICAL = "DICOM, a medical image: lecture 6 reads it (k2c run 06 -p source=FOLDER), a network of photographs does not"
AT_MOST = 500  # files that are read of a folder
AT_LEAST = 20  # labelled photographs, so that they are used
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
    image: ImageArray
    names: tuple[str, ...]


def sample_photograph(name: str) -> ImageArray:
    """Return one of the sample photographs, uint8 (H, W, 3). `SAMPLES` lists them.

    Raises
    ------
    K2CError
        When there is no such sample, or the package came without its images.
    """
    if name not in SAMPLES:
        raise K2CError(unknown("sample photograph", name, SAMPLES))
    sample = SAMPLES[name]
    path = Path(str(files(sample.package))) / sample.path
    try:
        return read_image(path)
    except ImageError as error:
        raise K2CError(
            f"The package {sample.package} came without {sample.path}. Install it again."
        ) from error


def files_of_photographs(folder: Path, report: LoadReport) -> list[Path]:
    """Return the files in a folder and below that may be photographs; the others go into the report."""
    found = []
    for path in files_below(folder, report):
        if is_dicom(path):
            report.leave_out(path.relative_to(folder).as_posix(), _MEDICAL)
        else:
            found.append(path)
    return found


def own_photographs(path: str | os.PathLike[str]) -> dict[str, ImageArray]:
    """Return the images of a file or a folder, by file name; what was read and left out is shown.

    Parameters
    ----------
    path
        An image, or a folder with images in it or in the folders below; of many files, the first `AT_MOST` by name.

    Raises
    ------
    K2CError
        When there is no image that can be read.
    """
    read, report = _read_own(path)
    report.announce()
    return read


def _read_own(path: str | os.PathLike[str]) -> tuple[dict[str, ImageArray], LoadReport]:
    path, report = Path(path).expanduser(), LoadReport("images")
    if not path.is_dir():
        report.read = 1
        return {path.name: read_image(path)}, report
    files = files_of_photographs(path, report)
    for file in files[AT_MOST:]:
        report.leave_out(file.relative_to(path).as_posix(), f"not among the first {AT_MOST:,} files")
    read: dict[str, ImageArray] = {}
    for file, image in read_images(files[:AT_MOST]):
        name = file.relative_to(path).as_posix()
        if isinstance(image, ImageError):
            report.leave_out(name, image.reason)
        else:
            read[name] = image
    report.read = len(read)
    if not read:
        raise K2CError(f"There is no image in {path} that can be read. {report}")
    return read, report


def label_in_name(file_name: str) -> str | None:
    """Return the WordNet id that a file of ImageNet begins with (`n02123045_1234.JPEG`), or None."""
    found = _WNID.match(PurePosixPath(file_name).name)
    return found[0] if found else None


def labelled_photographs(path: str | os.PathLike[str] = "") -> list[Labelled]:
    """Return photographs with labels: your own where their file names have them, else the samples.

    Parameters
    ----------
    path
        A folder. Its images are taken when at least `AT_LEAST` of them have ImageNet's names, which begin with
        the WordNet id, as in `n02123045_1234.JPEG`. What was taken and left out is shown.
    """
    if path and Path(path).expanduser().is_dir():
        read, report = _read_own(path)
        own = []
        for name, image in read.items():
            if label := label_in_name(name):
                own.append(Labelled(name, image, (label,)))
            else:
                report.leave_out(name, "its name does not begin with a WordNet id, such as n02123045")
        report.what, report.read = "labelled images", len(own)
        if len(own) < AT_LEAST:
            report.note(f"They are fewer than {AT_LEAST}: the sample photographs are used instead.")
        report.announce()
        if len(own) >= AT_LEAST:
            return own
    return [Labelled(name, sample_photograph(name), one.names) for name, one in SAMPLES.items() if one.names]
