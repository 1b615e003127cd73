"""Films of 10, 12 and 16 bits a pixel keep their grey levels, and have one scale in a data set."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from k2c.datasets import FileSource, LabelledImages, audit, read_image
from k2c.datasets.chest import FINDINGS, load_chest


def ramp(top: int, low: int = 0) -> np.ndarray:
    return np.linspace(low, top, 64 * 64).reshape(64, 64).astype(np.uint16)


@pytest.mark.parametrize("top", [255, 1023, 4095, 16383, 65535])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_each_depth_fills_all_grey_levels(tmp_path, top, suffix):
    Image.fromarray(ramp(top)).save(tmp_path / f"a.{suffix}")
    seen = read_image(tmp_path / f"a.{suffix}", grey=True)
    assert len(np.unique(seen)) == 256
    assert np.abs(seen - ramp(top) / top * 255).max() <= 1


def with_significant_bits(path, bits):
    content = path.read_bytes()
    chunk = b"sBIT" + bytes([bits])
    chunk = struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(content[:33] + chunk + content[33:])  # behind IHDR


def test_png_declares_its_bits(tmp_path):
    Image.fromarray(ramp(900)).save(tmp_path / "a.png")
    with_significant_bits(tmp_path / "a.png", 12)
    assert read_image(tmp_path / "a.png", grey=True).max() == round(900 / 4095 * 255)
    Image.fromarray(ramp(65535)).save(
        tmp_path / "scaled.png"
    )  # as the standard wants it: 12 bits spread over 16
    with_significant_bits(tmp_path / "scaled.png", 12)
    assert len(np.unique(read_image(tmp_path / "scaled.png", grey=True))) == 256


@pytest.mark.parametrize(("smallest", "largest"), [(280, 281), (340, 341)])
def test_tiff_declares_its_range(tmp_path, smallest, largest):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in ((smallest, 500), (largest, 2500)):
        tags[tag] = value
        tags.tagtype[tag] = 3
    Image.fromarray(ramp(2000, 1000)).save(tmp_path / "a.tif", tiffinfo=tags)
    seen = read_image(tmp_path / "a.tif", grey=True)
    assert (seen.min(), seen.max()) == (round(500 / 2000 * 255), round(1500 / 2000 * 255))


@pytest.fixture
def films(tmp_path):
    """A dark and a bright film of 12 bits in 16-bit files, and their labels."""
    for name, top in (("dark", 800), ("bright", 4000)):
        Image.fromarray(ramp(top)).save(tmp_path / f"{name}.png")
    rows = [f"{name},1{',0' * 13}" for name in ("dark", "bright")]
    (tmp_path / "labels.csv").write_text("\n".join([f"image,{','.join(FINDINGS)}", *rows]))
    return tmp_path


def test_all_films_of_a_folder_have_one_scale(films, capsys):
    data = load_chest(films)
    dark, bright = (data.image(row).max() for row in (0, 1))
    assert (dark, bright) == (round(800 / 4095 * 255), round(4000 / 4095 * 255))
    assert "Pixels of more than 8 bits are scaled so that 4095 is white" in capsys.readouterr().out
    assert "4095" in data.identity(0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_no_number_darkens_no_film(films, capsys, value):
    for name in ("dark", "bright"):
        (films / f"{name}.png").unlink()
        fractions = (ramp(1000) / 1000).astype(np.float32)
        if name == "dark":
            fractions[0, 0] = value
        Image.fromarray(fractions).save(films / f"{name}.tif")
    data = load_chest(films)
    assert [data.image(row).max() for row in (0, 1)] == [255, 255]
    assert "so that 1 is white" in capsys.readouterr().out


def test_the_audit_names_films_that_use_few_grey_levels(films):
    (finding,) = (found for found in audit(load_chest(films)).findings if found.kind == "narrow range")
    assert finding.severity == "warning" and finding.rows == [0]
    assert "1 image uses less than a quarter of the grey levels (dark)" in finding.sentence


def test_eight_bits_have_no_common_scale(tmp_path):
    Image.new("L", (40, 40)).save(tmp_path / "a.png")
    assert FileSource([tmp_path / "a.png", tmp_path / "missing.png"]).full_scale is None


def test_an_empty_source(tmp_path):
    assert FileSource([]).full_scale is None and LabelledImages is not None
