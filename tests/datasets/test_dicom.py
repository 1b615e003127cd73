"""DICOM images as hospitals write them: windows, tables, inverted films, colours, and patients who stay unknown."""

import importlib.util
import logging
import random

import numpy as np
import pytest
from PIL import Image

from k2c.datasets import ImageError, read_image
from k2c.datasets.chest import FINDINGS, load_chest

pydicom = pytest.importorskip("pydicom")

from pydicom.dataset import Dataset, FileDataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import (  # noqa: E402
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

RAMP = np.linspace(0, 4095, 20 * 30).reshape(20, 30).astype(np.uint16)
SECRETS = ("Mustermann", "4711-0815", "19501231")


@pytest.fixture
def written(tmp_path):
    """Write a 12-bit film with the tags that a test gives, and return its path."""

    def write(name="film.dcm", pixels=RAMP, syntax=ExplicitVRLittleEndian, encoded=None, **tags):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = syntax
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
        meta.MediaStorageSOPInstanceUID = generate_uid()
        film = FileDataset(str(tmp_path / name), {}, file_meta=meta, preamble=b"\0" * 128)
        film.PatientName, film.PatientID, film.PatientBirthDate = SECRETS
        film.Rows, film.Columns = pixels.shape[-2:] if pixels.ndim == 2 else pixels.shape[:2]
        film.SamplesPerPixel, film.PhotometricInterpretation = 1, "MONOCHROME2"
        film.BitsAllocated = pixels.dtype.itemsize * 8
        film.BitsStored = 12 if film.BitsAllocated == 16 else 8
        film.HighBit, film.PixelRepresentation = film.BitsStored - 1, int(pixels.dtype.kind == "i")
        film.PixelData = pixels.tobytes() if encoded is None else encapsulate([encoded])
        for tag, value in tags.items():
            setattr(film, tag, value)
        film.save_as(tmp_path / name, enforce_file_format=True)
        return tmp_path / name

    return write


def grey(path):
    return read_image(path, grey=True).astype(int)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, RAMP / 4095 * 255),
        ({"WindowCenter": 2048, "WindowWidth": 4096}, RAMP / 4095 * 255),
        ({"WindowCenter": 1024, "WindowWidth": 1024}, (RAMP - 1023.5) / 1023 * 255 + 127.5),
        (
            {"WindowCenter": 1024, "WindowWidth": 1024, "VOILUTFunction": "LINEAR_EXACT"},
            (RAMP - 1024.0) / 1024 * 255 + 127.5,
        ),
        (
            {"WindowCenter": 1024, "WindowWidth": 1024, "VOILUTFunction": "SIGMOID"},
            255 / (1 + np.exp(-4 * (RAMP - 1024.0) / 1024)),
        ),
        ({"WindowCenter": [1024, 9], "WindowWidth": [1024, 9]}, (RAMP - 1023.5) / 1023 * 255 + 127.5),
        (
            {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 0, "WindowWidth": 1000},
            (2.0 * RAMP - 1000 + 0.5) / 999 * 255 + 127.5,
        ),
        ({"PhotometricInterpretation": "MONOCHROME1"}, 255 - RAMP / 4095 * 255),
        (
            {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 1024, "WindowWidth": 1024},
            255 - ((RAMP - 1023.5) / 1023 * 255 + 127.5).clip(0, 255),
        ),
    ],
)
def test_grey_levels_are_those_that_a_viewer_shows(written, tags, expected):
    assert np.abs(grey(written(**tags)) - np.clip(expected, 0, 255)).max() <= 1


@pytest.mark.parametrize(
    ("centre", "width"), [(2048, 0), (2048, -5), ("nan", "100"), (2048, "1e400"), (100_000, 10), (-9999, 50)]
)
def test_a_window_that_shows_nothing_is_none(written, centre, width):
    assert np.abs(grey(written(WindowCenter=centre, WindowWidth=width)) - RAMP / 4095 * 255).max() <= 1


@pytest.mark.parametrize(("slope", "intercept"), [(0, 5), ("1e400", 0), ("nan", 0)])
def test_a_scale_that_leaves_nothing_is_refused(written, slope, intercept):
    with pytest.raises(ImageError, match="slope and intercept leave nothing to see"):
        grey(written(RescaleSlope=slope, RescaleIntercept=intercept))


def test_damage_anywhere_in_the_header_is_told_and_quotes_nobody(written):
    path, chance = written(), random.Random(0)
    whole = path.read_bytes()
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(132, len(whole) - RAMP.nbytes)] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            grey(path)
        except ImageError as error:
            assert not any(secret in str(error) for secret in SECRETS)


def test_a_table_comes_before_a_window(written):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.add_new(0x00283006, "US", [65535 - 16 * value for value in range(4096)])
    film = written(VOILUTSequence=[table], WindowCenter=9, WindowWidth=9)
    assert np.abs(grey(film) - (255 - RAMP / 4095 * 255)).max() <= 1


def test_signed_values_and_padding(written):
    values = np.linspace(-1000, 1000, 600).reshape(20, 30).astype(np.int16)
    values[0, 0] = -2000
    film = written(pixels=values, PixelPaddingValue=-2000, BitsStored=16, HighBit=15)
    assert np.abs(grey(film)[1:] - (values[1:] + 1000) / 2000 * 255).max() <= 1


def test_colours(written):
    red = np.zeros((20, 30, 3), np.uint8)
    red[..., 0] = 200
    colour = {"SamplesPerPixel": 3, "PlanarConfiguration": 0}
    film = written(pixels=red, PhotometricInterpretation="RGB", **colour)
    assert (read_image(film) == red).all()
    ycc = np.asarray(Image.fromarray(red).convert("YCbCr"))
    film = written(pixels=ycc, PhotometricInterpretation="YBR_FULL", **colour)
    assert np.abs(read_image(film).astype(int) - red).max() <= 2
    tables = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16] for name in ("Red", "Green", "Blue")}
    ramp = (np.arange(256) * 257).astype(np.uint16)
    tables |= {
        "RedPaletteColorLookupTableData": ramp.tobytes(),
        "GreenPaletteColorLookupTableData": np.zeros_like(ramp).tobytes(),
        "BluePaletteColorLookupTableData": np.zeros_like(ramp).tobytes(),
    }
    film = written(pixels=red[..., 0].copy(), PhotometricInterpretation="PALETTE COLOR", **tables)
    assert (read_image(film) == red).all()


def test_compressed_films(written, tmp_path):
    eight = (RAMP // 16).astype(np.uint8)
    for name, syntax, options in (
        ("a.jpg", JPEGBaseline8Bit, {"quality": 95}),
        ("a.j2k", JPEG2000Lossless, {"irreversible": False}),
    ):
        Image.fromarray(eight).save(tmp_path / name, **options)
        film = written(pixels=eight, syntax=syntax, encoded=(tmp_path / name).read_bytes())
        assert np.abs(grey(film) - eight).max() <= 3
    plain = pydicom.dcmread(written())
    plain.compress(RLELossless)
    plain.save_as(tmp_path / "rle.dcm")
    assert np.abs(grey(tmp_path / "rle.dcm") - RAMP / 4095 * 255).max() <= 1


@pytest.mark.parametrize("kind", ["JPEGLSLossless", "JPEGLosslessProcess14_1"])
def test_films_in_the_lossless_jpegs_of_older_archives(written, tmp_path, kind):
    gdcm = pytest.importorskip("gdcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(written()))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, kind)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(tmp_path / "lossless.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert np.abs(grey(tmp_path / "lossless.dcm") - RAMP / 4095 * 255).max() <= 1


def test_pixels_that_are_not_square_are_made_so(written):
    assert grey(written(PixelSpacing=[0.2, 0.1])).shape == (40, 30)
    assert grey(written(PixelAspectRatio=[1, 2])).shape == (20, 60)
    assert grey(written(ImagerPixelSpacing=[0.143, 0.143])).shape == (20, 30)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"PixelData": b"\0" * 100}, r"cut short or damaged \(ValueError\)"),
        ({"Rows": 60_000, "Columns": 60_000}, "too many pixels"),
        ({"PhotometricInterpretation": "ARGB"}, "colours that are not read here"),
        ({"syntax": JPEGLSLossless, "encoded": b"no JPEG"}, "damaged|compressed in a way"),
        ({"syntax": DeflatedExplicitVRLittleEndian}, "deflated kind, which is not read"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_patient(written, tags, said):
    with pytest.raises(ImageError, match=said) as raised:
        read_image(written(**tags))
    assert not any(secret in str(raised.value) for secret in SECRETS)


def test_a_file_without_an_image(tmp_path, written):
    film = pydicom.dcmread(written())
    del film.PixelData, film.Rows
    film.save_as(tmp_path / "report.dcm")
    (tmp_path / "text.dcm").write_text("dear diary")
    for name in ("report.dcm", "text.dcm"):
        with pytest.raises(ImageError, match=r"without an image|damaged"):
            read_image(tmp_path / name)


def test_without_pydicom_the_sentence_says_what_to_install(written, monkeypatch):
    film = written()
    monkeypatch.setattr("k2c.datasets.dicom.find_spec", lambda name: None)
    with pytest.raises(
        ImageError, match=r"is a DICOM file\. Install pydicom: .* -m pip install -e .*\[dicom\]"
    ):
        read_image(film)
    assert importlib.util.find_spec("pydicom")


def test_a_folder_of_films_without_suffixes(written, capsys, caplog, recwarn):
    folder = written("1.2.840.1").parent
    written("1.2.840.2", PixelSpacing=[0.2, 0.1], WindowCenter=2048, WindowWidth=4096)
    many = np.stack([RAMP, 4095 - RAMP])
    written("sub.dcm", pixels=many[0], NumberOfFrames=2, PixelData=many.tobytes(), PatientName="x" * 80)
    lines = [f"{name},1{',0' * 13}" for name in ("1.2.840.1", "1.2.840.2", "sub")]
    (folder / "labels.csv").write_text("\n".join([f"file,{','.join(FINDINGS)}", *lines]))
    with caplog.at_level(logging.DEBUG):
        data = load_chest(folder)
    assert [data.image(row).shape for row in range(3)] == [(20, 30), (40, 30), (20, 30)]
    assert np.abs(data.image(2) - RAMP / 4095 * 255).max() <= 1
    said = capsys.readouterr().out
    assert "Read 3 images; left out none." in said
    assert "hold several images, of which the first is read: 1 of 3." in said
    assert "not square, and are stretched to their true proportions: 1 of 3." in said
    assert "name no window, and are scaled from their smallest value to their largest: 2 of 3." in said
    everything = said + caplog.text + str(recwarn.list) + data.table.to_csv() + str(data.report.as_json())
    assert not any(secret in everything for secret in (*SECRETS, "x" * 80))
