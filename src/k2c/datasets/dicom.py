"""Read DICOM images as a viewer would show them, and nothing of what they say of the patient."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from k2c._system.advice import pip_install

SUFFIXES = (".dcm", ".dicom")
INSTALL = f"Install pydicom: {pip_install('[dicom]')}"

_MARK, _MARK_AT = b"DICM", 128
_DEFLATED = (
    b"1.2.840.10008.1.2.1.99",
    b"1.2.840.10008.1.2.8.1",
)  # unpacked as a whole, however large that is
# All that is read of a file. Names, numbers and dates of patients never come into memory.
_TAG_NAMES = (
    "SamplesPerPixel PhotometricInterpretation NumberOfFrames Rows Columns PlanarConfiguration BitsAllocated "
    "BitsStored HighBit PixelRepresentation PixelPaddingValue PixelSpacing ImagerPixelSpacing PixelAspectRatio "
    "RescaleSlope RescaleIntercept ModalityLUTSequence VOILUTSequence VOILUTFunction WindowCenter WindowWidth "
    "RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor "
    "BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData "
    "BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData "
    "SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData PixelData FloatPixelData "
    "DoubleFloatPixelData ExtendedOffsetTable ExtendedOffsetTableLengths"
)
_TAGS = _TAG_NAMES.split()
_GREY = ("MONOCHROME1", "MONOCHROME2")


class DicomError(Exception):
    """What is wrong with a DICOM file; it follows the file's name: `"is cut short or damaged"`."""


@dataclass(frozen=True)
class DicomFacts:
    """What the header of a DICOM image says of how it is shown.

    Attributes
    ----------
    height, width
        As shown: with square pixels.
    frames
        How many images the file holds; the first is read.
    square
        Whether its pixels are.
    spacing
        Millimetres from one pixel to the next, the smaller of both directions; None where not known.
    windowed
        Whether the file says which values are black and white.
    """

    height: int
    width: int
    frames: int
    square: bool
    spacing: float | None
    windowed: bool


def has_dicom_mark(path: Path) -> bool:
    """Tell whether a file begins as DICOM files do, whatever its name is."""
    try:
        with path.open("rb") as file:
            file.seek(_MARK_AT)
            return file.read(len(_MARK)) == _MARK
    except OSError:
        return False


def is_dicom(path: Path) -> bool:
    """Tell whether a file is named as DICOM, or begins as DICOM files do."""
    return path.suffix.lower() in SUFFIXES or has_dicom_mark(path)


def read_dicom(path: Path) -> NDArray[np.uint8]:
    """Read a DICOM image, of several the first.

    Stored values become values of the modality (rescale slope and intercept, or a table), then grey levels by the
    file's VOI table or window; without one, from the smallest value to the largest. MONOCHROME1 is inverted, so that
    air is dark. YBR and palettes become RGB; pixels that are not square are made so.

    Returns
    -------
    numpy.ndarray
        uint8 (H, W) or (H, W, 3).

    Raises
    ------
    DicomError
        When pydicom is not installed, or the file has no image, is damaged or too large.
    """
    dataset = _opened(path, pixels=True)
    facts = _facts(dataset)
    from pydicom.pixels import pixel_array

    try:
        stored = pixel_array(dataset, index=0)
        shown = (
            _grey(stored, dataset) if dataset.PhotometricInterpretation in _GREY else _colour(stored, dataset)
        )
    except DicomError:
        raise
    except Exception as error:  # what a damaged file makes of the decoders; its text may quote the file
        missing = isinstance(error, RuntimeError) and "plugin" in str(error).lower()
        syntax = dataset.file_meta.get("TransferSyntaxUID", "")
        raise DicomError(
            f"is compressed in a way that is not read here ({getattr(syntax, 'name', syntax)}). "
            f"Install what decompresses it: {pip_install('[dicom]')}"
            if missing
            else f"is cut short or damaged ({type(error).__name__})"
        ) from None
    if facts.square:
        return shown
    return np.asarray(Image.fromarray(shown).resize((facts.width, facts.height), Image.Resampling.BICUBIC))


def dicom_facts(path: Path) -> DicomFacts:
    """Read the header of a DICOM image; `DicomError` where it has none."""
    return _facts(_opened(path, pixels=False))


def dicom_notes(facts: Sequence[DicomFacts]) -> list[str]:
    """Return sentences on what is special about the DICOM images of a data set, for the report of its loading."""
    counts = {
        "DICOM files hold several images, of which the first is read": [fact.frames > 1 for fact in facts],
        "DICOM files have pixels that are not square, and are stretched to their true proportions": [
            not fact.square for fact in facts
        ],
        "DICOM files name no window, and are scaled from their smallest value to their largest": [
            not fact.windowed for fact in facts
        ],
    }
    notes = [f"{what}: {sum(which):,} of {len(facts):,}." for what, which in counts.items() if any(which)]
    spacing = [fact.spacing for fact in facts if fact.spacing]
    if spacing and max(spacing) > 1.5 * min(spacing):
        notes.append(
            f"The pixels of the DICOM files are {min(spacing):.3g} to {max(spacing):.3g} mm wide: the same size in "
            "pixels is not the same size in the patient."
        )
    return notes


def _opened(path: Path, pixels: bool) -> Any:
    if find_spec("pydicom") is None:
        raise DicomError(f"is a DICOM file. {INSTALL}")
    import pydicom

    # Warnings of values that break the rules would quote them: names of patients among them.
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    pydicom.config.logger.setLevel("CRITICAL")
    tags: list[Any] = [tag for tag in _TAGS if pixels or "PixelData" not in tag]
    try:
        with path.open("rb") as file:
            head = file.read(4096)  # what says how the rest is packed stands here
            if any(syntax in head for syntax in _DEFLATED):
                raise DicomError(
                    "is a DICOM file of the deflated kind, which is not read. Save it uncompressed"
                )
            file.seek(0)
            return pydicom.dcmread(
                file, stop_before_pixels=not pixels, specific_tags=tags, force=head[_MARK_AT:][:4] != _MARK
            )
    except DicomError:
        raise
    except OSError as error:
        raise DicomError(f"cannot be read ({error.strerror or type(error).__name__})") from None
    except Exception as error:  # as in read_dicom
        raise DicomError(f"is not a DICOM file, or damaged ({type(error).__name__})") from None


def _facts(dataset: Any) -> DicomFacts:
    try:
        return _stated(dataset)
    except DicomError:
        raise
    except (
        Exception
    ) as error:  # pydicom reads a value when it is asked for, and raises whatever comes of damage
        raise DicomError(f"is cut short or damaged ({type(error).__name__})") from None


def _stated(dataset: Any) -> DicomFacts:
    try:
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        known = str(dataset.PhotometricInterpretation)
    except (AttributeError, TypeError, ValueError):
        raise DicomError("is a DICOM file without an image") from None
    if rows * columns > 2 * (Image.MAX_IMAGE_PIXELS or rows * columns):  # as Pillow refuses other formats
        raise DicomError("has too many pixels to be decoded safely")
    if known not in (*_GREY, "RGB", "PALETTE COLOR") and not known.startswith("YBR"):
        raise DicomError("is a DICOM file with colours that are not read here")
    try:
        spacing = [float(value) for value in _spacing(dataset)]
        tall = spacing[0] / spacing[1] if min(spacing) > 0 else 1.0
        frames = int(dataset.get("NumberOfFrames") or 1)
    except (AttributeError, TypeError, ValueError, IndexError):
        spacing, tall, frames = [0.0], 1.0, 1
    square = not 1.01 < max(tall, 1 / tall) < 20
    height = rows if square or tall < 1 else round(rows * tall)
    width = columns if square or tall > 1 else round(columns / tall)
    millimetres = min(spacing) if "PixelAspectRatio" not in dataset and min(spacing) > 0 else None
    windowed = bool(dataset.get("VOILUTSequence")) or _window(dataset) is not None
    return DicomFacts(height, width, frames, square, millimetres, windowed or known not in _GREY)


def _spacing(dataset: Any) -> Any:
    """Return the distance of rows and of columns, in millimetres or in any unit."""
    for name in ("PixelSpacing", "ImagerPixelSpacing", "PixelAspectRatio"):
        if dataset.get(name):
            return dataset.get(name)
    return (0.0, 0.0)


def _grey(stored: NDArray[Any], dataset: Any) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_modality_lut, apply_voi

    values = apply_modality_lut(stored, dataset)
    if not np.isfinite(values).all() or (stored.min() < stored.max() and values.min() == values.max()):
        raise DicomError("is a DICOM file whose rescale slope and intercept leave nothing to see")
    window = _window(dataset)
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        shown = apply_voi(values, dataset) / (2.0**bits - 1)
    elif window and _is_inside(window, values):
        shown = _windowed(values.astype(np.float64), window, dataset)
    else:
        shown = _whole_range(values.astype(np.float64), stored, dataset)
    levels = np.round(np.clip(shown, 0, 1) * 255).astype(np.uint8)
    return 255 - levels if dataset.PhotometricInterpretation == "MONOCHROME1" else levels


def _window(dataset: Any) -> tuple[float, float] | None:
    """Return centre and width of the first window; None where there is none, or none that means anything."""
    given = [dataset.get(name) for name in ("WindowCenter", "WindowWidth")]
    if any(value in (None, "") for value in given):
        return None
    centre, width = (float(np.ravel(value)[0]) for value in given)
    return (centre, width) if np.isfinite([centre, width]).all() and width > 0 else None


def _is_inside(window: tuple[float, float], values: NDArray[Any]) -> bool:
    """Tell whether a window shows any of the values: one beside all of them makes the image black or white."""
    centre, width = window
    return bool(values.min() < centre + width / 2 and values.max() > centre - width / 2)


def _windowed(values: NDArray[np.float64], window: tuple[float, float], dataset: Any) -> NDArray[np.float64]:
    """Return the values by a window, 0 black and 1 white (DICOM PS3.3 C.11.2.1.2)."""
    centre, width = window
    function = str(dataset.get("VOILUTFunction") or "LINEAR")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -500, 500)))
    if function == "LINEAR_EXACT":
        return (values - centre) / width + 0.5
    return (values - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5


def _whole_range(values: NDArray[np.float64], stored: NDArray[Any], dataset: Any) -> NDArray[np.float64]:
    padding = dataset.get("PixelPaddingValue")
    seen = values[stored != padding] if padding is not None and (stored != padding).any() else values
    low, high = float(seen.min()), float(seen.max())
    return (values - low) / (high - low or 1)


def _colour(stored: NDArray[Any], dataset: Any) -> NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut

    bits = int(dataset.BitsStored)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        stored = apply_color_lut(stored, dataset)
        bits = stored.dtype.itemsize * 8
    return np.round(stored * (255 / (2**bits - 1))).astype(np.uint8)
