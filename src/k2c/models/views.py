"""How an image of each kind becomes the square that a network reads: cropped, whole, or cut to the eye."""

import numpy as np
from PIL import Image

from k2c.datasets.field_of_view import crop_to_eye
from k2c.datasets.images import ImageArray
from k2c.errors import K2CError, unknown
from k2c.models.preprocessing import Preprocessing

KINDS = {
    "photograph": "the shorter side is brought to the network's size and the middle is cut out",
    "fundus": "the black surround of the eye is cut away and the whole eye is seen",
    "film": "the whole film is seen, in grey",
}
# How much longer than what the network reads the shorter side of a file may be: the surround of an eye is cut away.
MARGINS = {"photograph": 1.0, "fundus": 1.3, "film": 1.0}


def check_kind(kind: str) -> None:
    """Raise `K2CError` unless `kind` is a kind of image."""
    if kind not in KINDS:
        raise K2CError(unknown("kind of image", kind, KINDS))


def square_of(
    image: ImageArray, kind: str, preprocessing: Preprocessing, *, cropped: bool = False
) -> ImageArray:
    """Return what a network sees of an image, uint8 (size, size, 3).

    Parameters
    ----------
    image
        uint8 (H, W, 3) or (H, W).
    kind
        `"photograph"`, `"fundus"` or `"film"`: see `KINDS`.
    preprocessing
        Of the network.
    cropped
        Whether the surround of the eye has been cut away already, as `load_fundus` does.
    """
    check_kind(kind)
    if kind == "photograph":
        return preprocessing.square(image)
    if kind == "film":
        return preprocessing.whole(np.asarray(Image.fromarray(np.ascontiguousarray(image)).convert("L")))
    return preprocessing.whole(image if cropped else crop_to_eye(image))
