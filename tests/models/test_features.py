"""HOG, against scikit-image's, which computes one image at a time."""

import numpy as np
import pytest
import torch
from skimage.feature import hog as reference

from k2c.datasets import load_mnist
from k2c.errors import K2CError
from k2c.models.features import cell_histograms, hog

DIGITS = load_mnist("digits").test.images[:20]


@pytest.mark.parametrize(("cell", "orientations", "block"), [(4, 9, 2), (7, 8, 2), (5, 12, 3), (7, 9, 1)])
def test_hog_is_what_scikit_image_computes(cell, orientations, block):
    theirs = [
        reference(
            image.numpy().astype(float),
            orientations=orientations,
            pixels_per_cell=(cell, cell),
            cells_per_block=(block, block),
            block_norm="L2-Hys",
        )
        for image in DIGITS
    ]
    ours = hog(DIGITS, cell, orientations, block)
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours, np.stack(theirs), atol=2e-5)


def test_features_of_an_image_do_not_depend_on_its_batch():
    torch.testing.assert_close(hog(DIGITS, batch_size=7), torch.cat([hog(image[None]) for image in DIGITS]))


def test_contrast_does_not_matter():
    faint = DIGITS.float() / 4
    torch.testing.assert_close(hog(faint), hog(DIGITS), atol=1e-4, rtol=0)


def test_an_edge_falls_into_the_bin_of_its_direction():
    image = torch.zeros(1, 8, 8)
    image[:, :, 4:] = 100  # brighter to the right: the gradient points along the row, at 0 degrees
    upright, lying = cell_histograms(image)[0], cell_histograms(image.transpose(1, 2))[0]
    assert upright[0].sum() == upright.sum() > 0
    assert lying[4].sum() == lying.sum() > 0  # 90 degrees, in bins of 20


def test_an_image_that_is_too_small_is_refused_with_a_sentence():
    with pytest.raises(K2CError, match="8 pixels or more on each side"):
        hog(torch.zeros(3, 7, 28))
    with pytest.raises(K2CError, match="without a channel"):
        hog(torch.zeros(3, 1, 28, 28))
