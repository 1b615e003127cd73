"""The formats of images: which ones are read, and what a file is that cannot be read."""

from contextlib import suppress
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from k2c._system.advice import pip_install
from k2c.datasets.dicom import SUFFIXES as DICOM_SUFFIXES

# They name other content than pixels, or start another program (EPS: Ghostscript) on a stranger's file.
_NEVER = {"BUFR", "EPS", "GRIB", "HDF5", "IPTC", "MPEG", "WMF"}

_RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".srw")
_CONVERT = "save it as JPEG or PNG"
_HEIC = f"HEIC image, which needs the package pillow-heif: {pip_install('pillow-heif')}, or {_CONVERT}"
_BRANDS = {
    "avif": f"AVIF image, which needs Pillow 11.3 or newer: {pip_install('-U', 'pillow')}, or {_CONVERT}",
    "avis": f"AVIF animation, which needs Pillow 11.3 or newer: {pip_install('-U', 'pillow')}, or {_CONVERT}",
    **dict.fromkeys(("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"), _HEIC),
    "crx ": f"camera's raw file: {_CONVERT}",
}
_SIGNATURES = (
    (b"\xff\x0a", f"JPEG XL image: {_CONVERT}"),
    (b"\0\0\0\x0cJXL ", f"JPEG XL image: {_CONVERT}"),
    (b"%PDF", "PDF: save its images as JPEG or PNG"),
    (b"%!PS", f"PostScript file: {_CONVERT}"),
    (b"\x1aE\xdf\xa3", "video: save single images of it"),
    (b"PK\x03\x04", "archive: unpack it"),
    (b"\x1f\x8b", "compressed file: unpack it"),
    (b"version https://git-lfs", "pointer of Git LFS without the image: run git lfs pull"),
    (b"<svg", "SVG drawing: save it as PNG"),
    (b"<!doctype html", "web page, not an image"),
    (b"<html", "web page, not an image"),
)


def _readable() -> tuple[tuple[str, ...], tuple[str, ...]]:
    with suppress(ImportError):  # optional, and there is no other reader of HEIC for Pillow
        from pillow_heif import register_heif_opener

        register_heif_opener()
    Image.init()
    formats = tuple(name for name in Image.OPEN if name not in _NEVER)
    named = {*formats, "MPO"}  # several JPEGs in one file, which the reader of JPEG opens
    suffixes = [end for end, name in Image.registered_extensions().items() if name in named]
    return formats, tuple(sorted({*suffixes, *DICOM_SUFFIXES}))


FORMATS, SUFFIXES = _readable()
"""What is read on this machine: names for `Image.open(formats=...)`, and endings of file names, DICOM's with them."""


def _other_format(path: Path) -> str | None:
    """Return what a file is that Pillow cannot read, and what to do about it; None where that is not known.

    The answer follows "is a": `"HEIC image, ..."`.
    """
    if path.suffix.lower() in _RAW:
        return f"camera's raw file: {_CONVERT}"
    with path.open("rb") as file:
        head = file.read(512)
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12].decode("latin-1"), "video: save single images of it")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"<?xml") and b"<svg" in start:
        start = b"<svg"
    return next(
        (words for sign, words in _SIGNATURES if head.startswith(sign) or start.startswith(sign)), None
    )


def named_as_image(path: str | Path) -> bool:
    """Tell whether a file is meant as an image by its name, in a format that is read here or not."""
    return Path(path).suffix.lower() in {*SUFFIXES, *_RAW, ".avif", ".heic", ".heif", ".hif", ".jxl"}


def is_raw(path: Path) -> bool:
    """Tell whether a file is named as a camera's raw data, of which Pillow would read the preview only."""
    return path.suffix.lower() in _RAW


def fault(path: Path, error: Exception | None = None) -> str:
    """Return what is wrong with a file that Pillow refused with `error`; it follows the name: `"is empty"`."""
    if isinstance(error, Image.DecompressionBombError):
        return "has too many pixels to be decoded safely"
    if error is None or isinstance(error, UnidentifiedImageError):
        if not path.stat().st_size:
            return "is empty"
        known = _other_format(path)
        return f"is a {known}" if known else "is not an image in a format that can be read"
    if "truncated" in str(error) or "broken data" in str(error):
        return f"is cut short or damaged ({error})"
    return f"cannot be read ({error.strerror if isinstance(error, OSError) and error.strerror else error})"
