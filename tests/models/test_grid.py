"""Frozen features that keep their place: the grid, its linear head, and evidence that adds up to the logit."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from k2c.errors import K2CError
from k2c.models import backbone, evidence, on_grid, pooled_features, train_head, untrained_head

RNG = np.random.default_rng(0)


def test_the_grid_holds_the_means_of_the_maps():
    network = backbone()
    grid = on_grid(network, ("block2", "block5"), cells=2)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        maps, found = images, []
        for name, part in network.trunk.named_children():
            maps = part(maps)
            if name in ("block2", "block5"):
                found.append(F.adaptive_avg_pool2d(maps, 2))
            if name == "block5":
                break
        expected = torch.cat(found, dim=1)
        assert torch.allclose(grid.feature_map(images), expected, atol=1e-5)
        assert torch.allclose(grid(images), expected.flatten(1), atol=1e-5)
    assert grid.n_features == expected[0].numel() and grid.weights_hash() != network.weights_hash()


def test_cached_features_are_the_networks():
    films = RNG.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    grid = on_grid(backbone(), cells=4)
    features = pooled_features(grid, films, size=64, cache=False)
    inputs = grid.preprocessing.normalise(torch.from_numpy(films[..., None].repeat(3, axis=3)))
    with torch.inference_mode():
        assert np.allclose(features, grid(inputs).numpy(), atol=1e-3)


def test_evidence_adds_up_to_the_logit_and_points_where_it_was_planted():
    labels = (RNG.random((300, 2)) < 0.4).astype(np.float32)
    maps = RNG.normal(size=(300, 5, 4, 4)).astype(np.float32)
    maps[:, 0, 1, 2] += 3 * labels[:, 0]  # finding 0: channel 0 at one place
    features = maps.reshape(300, -1)
    head = train_head(features, labels, epochs=10, learning_rate=0.02)
    found = evidence(head, features, 0, cells=4)
    with torch.inference_mode():
        logits = head(torch.from_numpy(features))[:, 0].numpy()
    assert np.allclose(found.sum(axis=(1, 2)) + head[1].bias[0].item(), logits, atol=1e-4)
    brightest = found[labels[:, 0] == 1].mean(axis=0)
    assert np.unravel_index(brightest.argmax(), (4, 4)) == (1, 2)


def test_the_same_seed_trains_the_same_head_and_unknown_labels_do_not_count():
    features = RNG.normal(size=(100, 6)).astype(np.float32)
    labels = (features[:, :2] > 0).astype(np.float32)
    labels[0, 0] = np.nan
    first, second = (train_head(features, labels, epochs=2, seed=3) for _ in range(2))
    assert torch.equal(first[1].weight, second[1].weight) and torch.isfinite(first[1].weight).all()


@pytest.mark.parametrize("wrong, said", [({"layers": ("block99",)}, "block99"), ({"cells": 0}, "1 or more")])
def test_what_there_is_not_is_refused(wrong, said):
    with pytest.raises(K2CError, match=said):
        on_grid(backbone(pretrained=False), **wrong)


def test_an_untrained_head_says_how_often_each_finding_is_about_everybody():
    features = RNG.normal(3, 2, (200, 5)).astype(np.float32)
    labels = (RNG.random((200, 2)) < (0.1, 0.6)).astype(np.float32)
    head = untrained_head(features, labels)
    with torch.inference_mode():
        standardised, said = head[0](torch.tensor(features)), head(torch.tensor(features)).sigmoid()
    assert torch.allclose(standardised.mean(dim=0), torch.zeros(5), atol=1e-4)
    assert torch.allclose(standardised.std(dim=0), torch.ones(5), atol=0.01)
    assert torch.allclose(said, torch.tensor(labels.mean(axis=0)).expand(200, 2), atol=0.01)
