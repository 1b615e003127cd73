"""Formats of images: all that Pillow reads are read, the others are named with what to do."""

import numpy as np
import pytest
from PIL import Image, features

from k2c.datasets.image_formats import SUFFIXES
from k2c.datasets.images import ImageError, read_image


@pytest.mark.parametrize("suffix", ["jfif", "jpe", "jp2", "avif", "tga", "pcx", "qoi", "jpg", "webp", "mpo"])
def test_formats_that_pillow_has_are_read(tmp_path, suffix):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    Image.new("RGB", (40, 20), "red").save(tmp_path / f"a.{suffix}")
    assert np.allclose(read_image(tmp_path / f"a.{suffix}")[10, 20], (255, 0, 0), atol=8)
    assert f".{suffix}" in SUFFIXES


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "a.heic",
            b"\0\0\0\x18ftypheic",
            "HEIC image, which needs the package pillow-heif: ",
        ),
        ("a.jpg", b"\0\0\0\x18ftypmif1", "HEIC image"),  # a telephone's file that was renamed
        ("a.jpg", b"\0\0\0\x20ftypisom", "video"),
        ("a.jxl", b"\xff\x0a\xfa\x1f", "JPEG XL image: save it as JPEG or PNG"),
        ("a.png", b"%PDF-1.7\n", "PDF"),
        ("a.svg", b"<?xml version='1.0'?>\n<svg/>", "SVG drawing"),
        ("a.jpg", b"<!DOCTYPE html><title>404", "web page, not an image"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("a.nef", b"II*\0", "camera's raw file"),
        (
            "a.jpg",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "PostScript",
        ),  # Ghostscript is not started
    ],
)
def test_other_formats_are_named_with_what_to_do(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content + b"\0" * 600)
    with pytest.raises(ImageError, match=said):
        read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"x", "not an image in a format that can be read"),
        (b"\xff\x0a", "JPEG XL image: save it as JPEG or PNG"),
    ],
)
def test_an_error_has_its_reason_without_the_name(tmp_path, content, reason):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError) as raised:
        read_image(tmp_path / "a.jpg")
    assert raised.value.reason == reason


def test_reasons_leave_details_away(tmp_path):
    Image.effect_noise((200, 200), 90).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:3000])
    Image.new("L", (1, 1)).save(tmp_path / "dot.png")
    for name, reason in {"a.jpg": "cut short or damaged", "dot.png": "too small"}.items():
        with pytest.raises(ImageError) as raised:
            read_image(tmp_path / name)
        assert raised.value.reason == reason


def test_a_decompression_bomb_is_refused(tmp_path):
    Image.new("1", (30_000, 20_000)).save(tmp_path / "bomb.png")
    with pytest.raises(ImageError, match="too many pixels") as raised:
        read_image(tmp_path / "bomb.png")
    assert raised.value.reason == "has too many pixels to be decoded safely"
