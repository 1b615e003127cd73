"""Find images that are there twice, also when the copy was saved anew, resized, brightened or mirrored."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, sparse

from k2c.datasets.images import ImageArray

SIDE = 48  # pixels of the small copy that is compared
# Correlation of two signatures. Of 320 patients' fundus photographs and 400 patients' chest films no two come
# above 0.89; a copy at half the contrast and JPEG quality 50 stays above 0.95.
SAME = 0.93
SMALLEST = 64  # pixels; below that, too little detail is left to tell eyes apart
BLOCK = 2048  # images compared with all others at a time


def signature(image: ImageArray) -> NDArray[np.float32]:
    """Return what makes an image this one: float32 (48 * 48,) of length 1, or 0 where there is no detail.

    Fine detail relative to its surroundings, strong edges damped: what all images of a kind share (the rim
    of the eye, brightness, colour) would otherwise make them all alike.
    """
    grey = Image.fromarray(image).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(grey, dtype=np.float32)
    detail = ndimage.gaussian_filter(pixels, 0.7) - ndimage.uniform_filter(pixels, 7)
    usual = np.median(np.abs(detail)) + 0.5
    detail = detail / (np.abs(detail) + 0.5 * usual)
    length = float(np.linalg.norm(detail))
    if min(image.shape[:2]) < SMALLEST or pixels.std() < 2 or length == 0:
        return np.zeros(SIDE * SIDE, np.float32)
    return (detail / length).ravel()


def same_images(identities: Sequence[str], signatures: NDArray[np.float32]) -> list[list[int]]:
    """Return the groups of rows that hold the same image, each of two rows or more.

    Parameters
    ----------
    identities
        (N,): equal when the files are.
    signatures
        float32 (N, 48 * 48), of `signature`. A mirrored or turned copy is found too.
    """
    number = len(identities)
    _, kinds = np.unique(np.asarray(identities, dtype=str), return_inverse=True)
    first = np.zeros(kinds.max(initial=-1) + 1, np.int64)
    first[kinds[::-1]] = np.arange(number)[::-1]
    pairs = [np.stack([np.arange(number), first[kinds]])]
    images = signatures.reshape(-1, SIDE, SIDE)
    for turned in (images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]):
        flat = np.ascontiguousarray(turned).reshape(number, -1)
        for start in range(0, number, BLOCK):
            left, right = np.nonzero(signatures[start : start + BLOCK] @ flat.T > SAME)
            pairs.append(np.stack([left + start, right]))
    rows, columns = np.concatenate(pairs, axis=1)
    graph = sparse.coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(number, number))
    _, group = sparse.csgraph.connected_components(graph, directed=False)
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return sorted(part.tolist() for part in parts if len(part) > 1)
