"""Maps of what a network looks at: right where they can be wrong, and nothing from a network that knows nothing."""

import warnings

import numpy as np
import pytest
import torch

from k2c.datasets.images import resize
from k2c.datasets.photographs import sample_photograph
from k2c.errors import K2CError
from k2c.models.backbones import backbone
from k2c.models.explain import (
    fast_gradient_sign,
    feature_maps,
    first_filters,
    grad_cam,
    occlusion,
    share_inside,
    with_random_weights,
)
from k2c.models.imagenet import class_index

WHERE = {"espresso": (0, 0), "tabby": (0, 1), "moped": (1, 0), "missile": (1, 1)}


@pytest.fixture(scope="module")
def network():
    return backbone()


@pytest.fixture(scope="module")
def four(network):
    """Four photographs in one, as the network's input."""
    quarters = [
        resize(network.preprocessing.square(sample_photograph(name)), 112)
        for name in ("coffee", "cat", "motorcycle", "rocket")
    ]
    square = np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])
    return network.preprocessing.normalise(square[None])


def quarter(row, column):
    mask = np.zeros((224, 224), bool)
    mask[112 * row : 112 * (row + 1), 112 * column : 112 * (column + 1)] = True
    return mask


@pytest.mark.parametrize("name", WHERE)
def test_grad_cam_points_to_the_thing_that_was_asked_for(network, four, name):
    heat = grad_cam(network, four, class_index(name))
    assert heat.shape == (1, 224, 224) and heat.dtype == np.float32 and heat.min() >= 0
    assert share_inside(heat[0], quarter(*WHERE[name])) > 0.55


def test_grad_cam_of_random_weights_points_nowhere_in_particular(network, four):
    shares = [
        share_inside(
            grad_cam(with_random_weights(network, seed), four, class_index(name))[0], quarter(*place)
        )
        for seed in range(4)
        for name, place in WHERE.items()
    ]
    assert np.mean(shares) < 0.45


def test_covering_the_motorcycle_costs_the_moped_most(network, four):
    lost = occlusion(network, four, class_index("moped"), window=56, stride=56)
    assert lost.shape == (224, 224)
    assert quarter(*WHERE["moped"]).ravel()[lost.argmax()]
    assert share_inside(lost, quarter(*WHERE["moped"])) > 0.8


def test_occlusion_gives_the_logit_that_is_lost(network, four):
    target = class_index("moped")
    lost = occlusion(network, four, target, window=112, stride=112)
    covered = four.clone()
    covered[:, :, 112:, :112] = 0
    with torch.inference_mode():
        expected = (network.logits(four) - network.logits(covered))[0, target].item()
    assert lost[200, 10] == pytest.approx(expected, abs=1e-3)


def test_several_classes_are_asked_about_at_once_also_with_squares_over_the_edge(network, four):
    targets = [class_index("moped"), class_index("tabby")]
    together = occlusion(network, four, targets, window=80, stride=70)
    assert together.shape == (2, 224, 224) and np.isfinite(together).all()
    for lost, target in zip(together, targets, strict=True):
        np.testing.assert_array_equal(lost, occlusion(network, four, target, window=80, stride=70))


def test_a_frozen_network_is_explained_without_a_warning(four):
    frozen = backbone().requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grad_cam(frozen, four, 281).max() > 0
    assert not four.requires_grad  # the input is left as it was


def test_random_weights_come_from_the_seed_and_leave_the_generator_alone(network):
    state = torch.random.get_rng_state()
    first, again, other = (with_random_weights(network, seed).classifier.weight for seed in (1, 1, 2))
    torch.testing.assert_close(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_share_inside_counts_positive_mass_only():
    heat = np.array([[3.0, 1.0], [-8.0, 0.0]], dtype=np.float32)
    mask = np.array([[True, False], [True, False]])
    assert share_inside(heat, mask) == pytest.approx(0.75)
    assert share_inside(-np.abs(heat), mask) == 0.5  # nothing speaks for it: the area's share
    with pytest.raises(K2CError, match="shape"):
        share_inside(heat, mask[:1])


def test_a_square_that_leaves_gaps_is_refused(network, four):
    with pytest.raises(K2CError, match="stride up to the window"):
        occlusion(network, four, 281, window=16, stride=32)


def test_filters_and_maps_are_those_of_the_network(network, four):
    filters = first_filters(network)
    assert filters.shape == (32, 3, 3, 3)
    assert filters.min() >= 0 and filters.max() <= 1
    np.testing.assert_allclose(np.abs(filters - 0.5).max(axis=(1, 2, 3)), 0.5, atol=1e-6)
    maps = feature_maps(network, four, ["stem", "head"])
    assert [found.shape for found in maps.values()] == [(32, 112, 112), (1280, 7, 7)]
    with torch.inference_mode():
        np.testing.assert_allclose(maps["head"], network.feature_map(four)[0].numpy(), rtol=1e-5)
    with pytest.raises(K2CError, match="It has: stem, block1"):
        feature_maps(network, four, ["conv1"])


def test_one_grey_level_makes_a_class_less_probable_and_changes_every_pixel_alike(network):
    inputs, tiger = network.preprocessing(sample_photograph("cat")), class_index("tiger cat")
    changed = fast_gradient_sign(network, inputs, tiger, levels=1)
    levels = (changed - inputs).abs() * 255 * torch.tensor(network.preprocessing.std).view(1, 3, 1, 1)
    assert torch.allclose(levels[levels > 0.01], torch.tensor(1.0), atol=1e-3)
    with torch.inference_mode():
        before, after = (network.logits(x).softmax(dim=1)[0, tiger] for x in (inputs, changed))
    assert after < before / 2


def test_the_class_activation_map_of_a_linear_layer_on_means_is_grad_cam(network, four):
    tabby = class_index("tabby")
    with torch.inference_mode():
        maps = network.feature_map(four)[0]
        small = torch.einsum("k,kyx->yx", network.classifier.weight[tabby], maps) / maps[0].numel()
        large = torch.nn.functional.interpolate(small.clamp(min=0)[None, None], size=224, mode="bilinear")
    assert np.allclose(large[0, 0].numpy(), grad_cam(network, four, tabby)[0], atol=1e-5)
