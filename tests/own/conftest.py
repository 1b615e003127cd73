"""Forty images of two kinds that anybody tells apart: the stripes lie, or they stand."""

import numpy as np
import pytest
from PIL import Image

from k2c.datasets import load_images


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number in range(40):
        wave = 0.5 + 0.5 * np.sin(np.arange(96) * random.uniform(0.3, 0.6) + random.uniform(0, 6))
        image = np.repeat(wave[:, None], 96, axis=1)[..., None] * random.uniform(80, 255, 3)
        image = (image + random.normal(0, 12, image.shape)).clip(0, 255).astype(np.uint8)
        lying = number % 2 == 0
        path = folder / ("lying" if lying else "standing") / f"{number:02d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image if lying else image.transpose(1, 0, 2)).save(path)
    return folder


@pytest.fixture(scope="session")
def data(photos):
    return load_images(photos)
