"""Features made by hand: histograms of oriented gradients (HOG), for many images at once."""

import torch
from torch import Tensor
from torch.nn import functional as F

from k2c.errors import K2CError

_EPSILON = 1e-5
_LARGEST_SHARE = 0.2  # Dalal and Triggs, section 6.4: no single direction may dominate a block


def hog(
    images: Tensor, cell: int = 4, orientations: int = 9, block: int = 2, batch_size: int = 1000
) -> Tensor:
    """Return the histograms of oriented gradients of images.

    Parameters
    ----------
    images
        uint8 or float (N, height, width).
    cell
        Side of a cell in pixels; each cell has one histogram.
    orientations
        Bins of a histogram, over 180 degrees: a dark-to-light edge counts as a light-to-dark one.
    block
        Side of a block in cells. Blocks overlap; each is scaled to length 1, so that contrast does not matter.
    batch_size
        Images at once; it bounds the memory, not the result.

    Returns
    -------
    torch.Tensor
        float32 (N, blocks down * blocks across * block * block * orientations), on the device of `images`.
        28x28 images and the defaults make 6 * 6 * 2 * 2 * 9 = 1,296 numbers.

    Raises
    ------
    K2CError
        When an image does not hold a whole block of cells.

    References
    ----------
    Dalal, Triggs: Histograms of oriented gradients for human detection (2005), with the block norm "L2-Hys".
    """
    if images.ndim != 3 or min(images.shape[1:]) < cell * block:
        raise K2CError(
            f"hog reads images of shape (N, height, width), {cell * block} pixels or more on each side, and got "
            f"{tuple(images.shape)}. Pass grey images, without a channel dimension."
        )
    down, across = (side // cell - block + 1 for side in images.shape[1:])
    found = torch.empty(len(images), down * across * block**2 * orientations, device=images.device)
    for part, into in zip(images.split(batch_size), found.split(batch_size), strict=True):
        into.copy_(_normalised_blocks(cell_histograms(part, cell, orientations), block))
    return found


def gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return how steeply and in which direction the brightness changes at each pixel.

    Parameters
    ----------
    images
        uint8 or float (N, height, width).

    Returns
    -------
    tuple of torch.Tensor
        Magnitude and direction, float32 (N, height, width). The direction is in degrees, from 0 (left to right)
        up to 180. Differences that would need a pixel outside the image are 0.
    """
    pixels = images.to(torch.float32)
    across, down = torch.zeros_like(pixels), torch.zeros_like(pixels)
    across[:, :, 1:-1] = pixels[:, :, 2:] - pixels[:, :, :-2]
    down[:, 1:-1, :] = pixels[:, 2:, :] - pixels[:, :-2, :]
    return torch.hypot(across, down), torch.rad2deg(torch.atan2(down, across)).remainder(180)


def cell_histograms(images: Tensor, cell: int = 4, orientations: int = 9) -> Tensor:
    """Return how much gradient each cell has in each direction, before blocks are normalised.

    Parameters
    ----------
    images
        uint8 or float (N, height, width).
    cell, orientations
        See `hog`.

    Returns
    -------
    torch.Tensor
        float32 (N, orientations, cells down, cells across): mean magnitude per pixel. Bin k holds the directions
        from k * 180 / orientations degrees on.
    """
    magnitude, direction = gradients(images)
    bins = (direction * (orientations / 180)).long().clamp_(max=orientations - 1)
    count, height, width = magnitude.shape
    by_bin = magnitude.new_zeros(count, orientations, height, width)
    by_bin.scatter_(1, bins.unsqueeze(1), magnitude.unsqueeze(1))
    return F.avg_pool2d(by_bin, cell)


def _normalised_blocks(histograms: Tensor, block: int) -> Tensor:
    # (N, orientations, rows, columns) becomes (N, block rows, block columns, numbers of a block)
    windows = histograms.unfold(2, block, 1).unfold(3, block, 1)
    blocks = windows.permute(0, 2, 3, 4, 5, 1).flatten(3)
    return _unit(_unit(blocks).clamp_(max=_LARGEST_SHARE)).flatten(1)


def _unit(blocks: Tensor) -> Tensor:
    return blocks / (blocks.square().sum(dim=-1, keepdim=True) + _EPSILON**2).sqrt()
