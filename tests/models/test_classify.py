"""From photographs to names."""

import numpy as np
import pytest
import torch

from k2c.datasets.photographs import sample_photograph
from k2c.errors import K2CError
from k2c.models.backbones import backbone
from k2c.models.classify import image_logits, top_classes


@pytest.fixture(scope="module")
def network():
    return backbone()


def test_the_cat_is_among_the_cats(network):
    top = top_classes(image_logits(network, [sample_photograph("cat")]), 3)
    assert set(top["name"]) == {"tiger cat", "Egyptian cat", "tabby"}
    assert top["probability"].sum() > 0.8


def test_images_of_any_size_keep_their_order_whatever_the_batch(network):
    images = [sample_photograph(name)[:200, :260] for name in ("cat", "coffee", "temple")]
    together = image_logits(network, images)
    in_parts = image_logits(network, iter(images), batch_size=2)
    torch.testing.assert_close(together, in_parts, rtol=1e-3, atol=1e-3)
    assert image_logits(network, []).shape == (0, 1000)


def test_the_top_classes_are_the_largest_probabilities():
    logits = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    top = top_classes(logits, 4, ["a", "b"])
    assert top["image"].tolist() == ["a"] * 4 + ["b"] * 4
    assert top["rank"].tolist() == [1, 2, 3, 4] * 2
    expected = np.sort(logits.softmax(dim=1).numpy(), axis=1)[:, :-5:-1]
    np.testing.assert_allclose(top["probability"], expected.ravel(), rtol=1e-6)
    assert top["index"][0] == int(logits[0].argmax())


def test_what_is_no_image_is_refused(network):
    with pytest.raises(K2CError, match="uint8"):
        image_logits(network, [np.zeros((10, 10, 3))])
