"""Augmentation on batches: what changes, what stays, and where the randomness comes from."""

import pytest
import torch

from k2c.errors import K2CError
from k2c.training import GaussianNoise, InMemoryLoader, Rotate180

GREY = torch.full((4, 3, 64, 64), 0.5)
RAMP = torch.arange(6 * 2 * 4 * 5, dtype=torch.float32).reshape(6, 2, 4, 5)


def test_noise_has_the_asked_for_share_of_the_range():
    noisy = GaussianNoise(0.1)(GREY)
    assert noisy.std() == pytest.approx(0.1, rel=0.02)
    assert noisy.mean() == pytest.approx(0.5, abs=0.002)
    wide = GaussianNoise(0.1, value_range=(-1.0, 1.0))(GREY - 0.5)
    assert wide.std() == pytest.approx(0.2, rel=0.02)


def test_noise_stays_in_the_range_and_leaves_the_batch_alone():
    batch = GREY.clone()
    noisy = GaussianNoise(0.5)(batch)
    assert noisy.min() == 0 and noisy.max() == 1
    assert torch.equal(batch, GREY)
    assert torch.equal(GaussianNoise(0.0)(batch), batch)


def test_a_turned_image_is_upside_down_and_turned_twice_as_it_was():
    turned = Rotate180(p=1.0)(RAMP)
    assert turned[2, 1, 0, 0] == RAMP[2, 1, 3, 4]
    assert turned[2, 1, 1, 2] == RAMP[2, 1, 2, 2]
    assert torch.equal(Rotate180(p=1.0)(turned), RAMP)
    assert torch.equal(Rotate180(p=0.0)(RAMP), RAMP)


def test_about_half_of_the_images_are_turned_each_as_a_whole():
    batch = torch.arange(2.0).expand(1000, 1, 1, 2)
    turned = Rotate180()(batch)[:, 0, 0, 0] == 1
    assert 440 < turned.sum() < 560
    bytes_too = Rotate180(p=1.0)(torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2))
    assert bytes_too.flatten().tolist() == [3, 2, 1, 0]


@pytest.mark.parametrize("transform", [GaussianNoise(0.2), Rotate180()])
def test_one_seed_one_series(transform):
    loader = InMemoryLoader(torch.rand(32, 1, 4, 4), torch.zeros(32), batch_size=8, transform=transform)

    def series(seed):
        torch.manual_seed(seed)
        return torch.cat([batch for batch, _ in loader])

    assert torch.equal(series(1), series(1))
    assert not torch.equal(series(1), series(2))


def test_own_generators_leave_the_global_one_alone():
    state = torch.get_rng_state()
    generator = torch.Generator().manual_seed(5)
    GaussianNoise(0.2, generator=generator)(GREY)
    Rotate180(generator=generator)(GREY)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_arguments_are_sentences():
    with pytest.raises(K2CError, match="fraction must be 0 or more"):
        GaussianNoise(-0.1)
    with pytest.raises(K2CError, match="probability"):
        Rotate180(p=2)
    with pytest.raises(K2CError, match="floating-point"):
        GaussianNoise(0.2)(torch.zeros(1, 3, 2, 2, dtype=torch.uint8))
    with pytest.raises(K2CError, match="N, channels, height, width"):
        Rotate180()(torch.zeros(3, 2, 2))
