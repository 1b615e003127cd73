"""Reading images as people have them, and cutting the surround of an eye away."""

import struct

import numpy as np
import pytest
from PIL import Image

from k2c.datasets import ImageError, crop_to_eye, field_of_view, read_image, read_images


@pytest.fixture
def red_left(tmp_path):
    """Save a 40x20 image, red on the left and blue on the right, in any mode and format."""

    def save(name: str, mode: str = "RGB", **options):
        image = Image.new("RGB", (40, 20), "red")
        image.paste("blue", (20, 0, 40, 20))
        path = tmp_path / name
        (image.convert(mode) if isinstance(mode, str) else mode(image)).save(path, **options)
        return path

    return save


def colours(image: np.ndarray) -> tuple[str, str]:
    """The strongest channel at both ends of the longer side."""
    long = image if image.shape[1] > image.shape[0] else image.swapaxes(0, 1)
    return tuple("rgb"[int(long[10, column].argmax())] for column in (3, -4))


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.jpg", "RGB"),
        ("a.jpg", "CMYK"),
        ("a.png", "P"),
        ("a.gif", "P"),
        ("a.tif", "CMYK"),
        ("a.bmp", "RGB"),
    ],
    ids=["jpeg", "cmyk-jpeg", "palette-png", "gif", "cmyk-tiff", "bmp"],
)
def test_every_colour_model_becomes_rgb(red_left, name, mode):
    image = read_image(red_left(name, mode))
    assert image.dtype == np.uint8 and image.shape == (20, 40, 3)
    assert colours(image) == ("r", "b")


@pytest.mark.parametrize(("orientation", "shape"), [(3, (20, 40, 3)), (6, (40, 20, 3)), (8, (40, 20, 3))])
def test_a_turned_photograph_stands_upright(red_left, orientation, shape):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(red_left("turned.jpg", exif=exif))
    assert image.shape == shape
    assert colours(image) == (("r", "b") if orientation == 6 else ("b", "r"))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_white(tmp_path, mode):
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 10, 20))
    image.convert(mode).save(tmp_path / "a.png")
    seen = read_image(tmp_path / "a.png")
    assert seen[5, 2].max() < 5 and seen[5, 15].min() > 250


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_keep_their_brightness(tmp_path, suffix):
    ramp = np.linspace(0, 65535, 20 * 20).reshape(20, 20).astype(np.uint16)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(ramp).save(path)
    assert np.abs(read_image(path, grey=True).astype(int) - ramp // 257).max() <= 1
    assert read_image(path).shape == (20, 20, 3)


def test_floating_point_images_show_something(tmp_path):
    Image.fromarray(np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)).save(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif", grey=True)
    assert (image.min(), image.max()) == (0, 255)


def noise_jpeg(path) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=90)
    return path.read_bytes()


def test_a_large_jpeg_is_decoded_smaller_when_that_is_enough(tmp_path):
    noise_jpeg(tmp_path / "a.jpg")
    assert read_image(tmp_path / "a.jpg", at_least=50).shape == (50, 75, 3)
    assert read_image(tmp_path / "a.jpg", at_least=150).shape == (200, 300, 3)


def test_files_that_are_no_images_say_why(tmp_path):
    whole = noise_jpeg(tmp_path / "whole.jpg")
    broken_png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 13, b"IHDR") + b"\0" * 5
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    contents = {
        "cut.jpg": (whole[: len(whole) // 2], "cut short"),
        "text.jpg": (b"dear diary", "not an image in a format"),
        "empty.jpg": (b"", "is empty"),
        "header.png": (broken_png, "."),
    }
    for name, (content, said) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=rf"{name} .*{said}"):
            read_image(tmp_path / name)
    for name, said in {
        "dot.png": r"too small \(1x1 pixels",
        "none.png": "missing",
        ".": "not a file",
    }.items():
        with pytest.raises(ImageError, match=said):
            read_image(tmp_path / name)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_no_damage_to_a_file_raises_anything_else(tmp_path):
    """Bytes overwritten at random: an image or a sentence."""
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (30, 30, 3), dtype=np.uint8)).quantize(16).save(
        tmp_path / "a.png"
    )
    Image.fromarray(random.integers(0, 256, (30, 30, 3), dtype=np.uint8)).save(tmp_path / "a.tif")
    noise_jpeg(tmp_path / "a.jpg")
    for name in ("a.png", "a.tif", "a.jpg"):
        whole = bytearray((tmp_path / name).read_bytes())
        for _ in range(60):
            damaged = whole.copy()
            for place in random.integers(0, min(len(whole), 600), 4):
                damaged[place] = random.integers(0, 256)
            (tmp_path / "damaged").write_bytes(damaged)
            try:
                assert read_image(tmp_path / "damaged").shape[2] == 3
            except ImageError as error:
                assert "damaged" in str(error)


def test_many_are_read_at_once_in_order_and_the_broken_ones_are_named(tmp_path):
    paths = []
    for row in range(30):
        paths.append(tmp_path / f"{row}.png")
        Image.new("RGB", (20 + row, 20), (row, row, row)).save(paths[-1])
    paths[7].write_text("oops")
    read = list(read_images(paths, size=16, workers=3))
    assert [path for path, _ in read] == paths
    assert isinstance(read[7][1], ImageError)
    assert [int(image[0, 0, 0]) for row, (_, image) in enumerate(read) if row != 7] == [
        row for row in range(30) if row != 7
    ]


def test_the_eye_is_cut_out_of_its_surround(draw_eye):
    eye = draw_eye(0, size=200, margin=0.0)
    photograph = np.zeros((300, 500, 3), np.uint8)
    photograph[50:250, 160:360] = eye
    random = np.random.default_rng(0)
    photograph = np.maximum(
        photograph, random.integers(0, 6, photograph.shape, dtype=np.uint8)
    )  # camera noise
    photograph[5:12, 5:60] = 200  # a date
    cropped = crop_to_eye(photograph)
    assert np.abs(np.array(cropped.shape[:2]) - 200).max() <= 8
    seen = field_of_view(photograph)
    assert abs(seen.mean() - np.pi * 100**2 / (300 * 500)) < 0.02
    assert not seen[8, 30] and seen[150, 260]


def test_an_eye_that_is_cut_off_keeps_its_shape(draw_eye):
    photograph = np.pad(draw_eye(0, size=200, margin=0.0)[30:170], ((0, 0), (60, 60), (0, 0)))
    square, tight = crop_to_eye(photograph), crop_to_eye(photograph, square=False)
    assert square.shape[0] == square.shape[1]
    assert abs(tight.shape[1] / tight.shape[0] - 200 / 140) < 0.05


@pytest.mark.parametrize("value", [0, 3, 128, 255])
def test_without_an_eye_nothing_is_cut(value):
    nothing = np.full((50, 70, 3), value, np.uint8)
    assert crop_to_eye(nothing, square=False).shape == (50, 70, 3)
    assert field_of_view(nothing).all()


def test_a_image_that_fills_its_frame_is_left_alone(draw_eye):
    middle = draw_eye(0, size=300, margin=0.0)[60:240, 60:240]
    assert crop_to_eye(middle).shape == (180, 180, 3)


@pytest.mark.parametrize("size", [9, 3000])
def test_tiny_and_huge_images_can_be_cropped(draw_eye, size):
    cropped = crop_to_eye(draw_eye(0, size=size))
    assert 0.7 * size <= cropped.shape[0] <= size
