"""From an image to what a pretrained network was trained to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from k2c.errors import K2CError

Interpolation = Literal["bilinear", "bicubic"]
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True)
class Preprocessing:
    """How the images of a network's evaluation were made: resize, crop the centre, normalise the colours.

    Attributes
    ----------
    size
        Side of the square that the network reads, in pixels.
    resize
        Length that the shorter side is brought to before the crop, in pixels; at least `size`.
    interpolation
        `"bilinear"` or `"bicubic"`, always with the filter that keeps a shrunken image free of aliasing.
    mean, std
        Of the red, green and blue channel, for values between 0 and 1.
    """

    size: int
    resize: int
    interpolation: Interpolation
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def square(self, image: np.ndarray) -> np.ndarray:
        """Return the image as the network was evaluated on it: shorter side to `resize`, centre cropped.

        Parameters
        ----------
        image
            uint8 (H, W, 3), red, green, blue; or (H, W), grey.

        Returns
        -------
        numpy.ndarray
            uint8 (size, size, 3).

        Raises
        ------
        K2CError
            When the array is no such image.
        """
        image = _middle(_coloured(image))
        height, width = image.shape[:2]
        scaled = [max(self.resize, int(self.resize * side / min(height, width))) for side in (width, height)]
        left, top = (round((side - self.size) / 2) for side in scaled)
        return self._resized(image, scaled[0], scaled[1])[top : top + self.size, left : left + self.size]

    def whole(self, image: np.ndarray) -> np.ndarray:
        """Return the whole image, squeezed into a square: nothing of a clinical image may be cut off.

        Parameters
        ----------
        image
            uint8 (H, W, 3) or (H, W).

        Returns
        -------
        numpy.ndarray
            uint8 (size, size, 3); the image itself when it has that size already.

        Raises
        ------
        K2CError
            When the array is no such image.
        """
        image = _coloured(image)
        height, width = image.shape[:2]
        if (height, width) == (self.size, self.size):
            return image
        return self._resized(image, self.size, self.size)

    def normalise(self, images: np.ndarray | Tensor) -> Tensor:
        """Return the network's input: float32 (N, 3, S, S), channels-last, on the images' device.

        Parameters
        ----------
        images
            Square images: uint8 (N, S, S, 3), an array or a tensor.

        Raises
        ------
        K2CError
            When they are something else.
        """
        if not isinstance(images, Tensor):
            # torch shares the memory of an array, and wants to be able to write to it
            images = torch.from_numpy(images if images.flags.writeable else images.copy())
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
            raise K2CError(
                f"Images are uint8 of shape (N, S, S, 3), and these are {str(images.dtype).split('.')[-1]} "
                f"{tuple(images.shape)}. One image becomes a batch with image[None]."
            )
        # A float copy of the permuted view keeps the order in memory, which is channels-last.
        return self.standardise(images.permute(0, 3, 1, 2).float().div_(255))

    def standardise(self, images: Tensor) -> Tensor:
        """Return images with values between 0 and 1, float32 (N, 3, S, S), as the network's input."""
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (images - mean).div_(std)

    def images(self, inputs: Tensor) -> Tensor:
        """Undo `standardise`: values between 0 and 1, float32 (N, 3, S, S), to look at a network's input."""
        mean, std = (inputs.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (inputs * std + mean).clamp_(0, 1)

    def __call__(self, images: np.ndarray | Sequence[np.ndarray]) -> Tensor:
        """Return the network's input, float32 (N, 3, size, size), for one image or several of any size."""
        several = [images] if isinstance(images, np.ndarray) and images.ndim < 4 else images
        return self.normalise(np.stack([self.square(image) for image in several]))

    def _resized(self, image: np.ndarray, width: int, height: int) -> np.ndarray:
        pixels = Image.fromarray(np.ascontiguousarray(image))
        return np.array(pixels.resize((width, height), _FILTERS[self.interpolation]))


def _coloured(image: np.ndarray) -> np.ndarray:
    """Return an image with three channels."""
    if image.dtype != np.uint8 or image.shape[2:] not in ((), (3,)) or image.ndim < 2 or 0 in image.shape:
        raise K2CError(
            f"An image is a uint8 array of shape (height, width, 3), and this one is {image.dtype} "
            f"{image.shape}. Read it with k2c.datasets.read_image(path)."
        )
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def _middle(image: np.ndarray) -> np.ndarray:
    """Cut the far ends off a very long image: the crop does not see them, and resized they could fill the memory."""
    height, width = image.shape[:2]
    most = 30 * min(height, width)
    top, left = max(0, height - most) // 2, max(0, width - most) // 2
    return image[top : height - top, left : width - left]
