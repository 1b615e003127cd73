"""Pooled features: the network's own numbers, computed once, and never somebody else's."""

import threading
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from k2c.datasets.labelled import LabelledImages
from k2c.datasets.sources import ArraySource
from k2c.errors import K2CError
from k2c.models import backbone, pooled_features, variant_features

SIZE = 64  # small images keep these tests short


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def network():
    return backbone()


@pytest.fixture
def images():
    """Ten images in their own size, which is not the network's."""
    return np.random.default_rng(0).integers(0, 256, (10, 50, 70, 3), dtype=np.uint8)


class CountingSource(ArraySource):
    """Counts how often an image is read; `break_at` is one that cannot be."""

    reads, break_at = 0, None

    def image(self, index, at_least=None):
        type(self).reads += 1
        if index == self.break_at:
            raise K2CError("unreadable")
        return super().image(index, at_least)


@pytest.fixture
def source(images, monkeypatch):
    monkeypatch.setattr(CountingSource, "reads", 0)
    return CountingSource(images, "images")


@pytest.fixture
def data(source, images):
    table = pd.DataFrame({"image": [str(i) for i in range(10)], "patient": "p", "label": [0, 1] * 5})
    return LabelledImages(table, source, ("no", "yes"))


def files_in(cache):
    return sorted(path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")


class Noise(nn.Module):
    """An augmentation that draws; its `repr` says how much."""

    def __init__(self, amount: float) -> None:
        super().__init__()
        self.amount = amount

    def forward(self, batch: Tensor) -> Tensor:
        return batch + self.amount * torch.randn_like(batch)

    def extra_repr(self) -> str:
        return str(self.amount)


def upside_down(batch: Tensor) -> Tensor:
    return batch.flip(2, 3)


class UpsideDown(nn.Module):
    forward = staticmethod(upside_down)


def test_they_are_what_the_network_gives_for_the_whole_image(network, data, images):
    prepared = np.stack([network.preprocessing.whole(image) for image in images])
    with torch.inference_mode():
        expected = network(network.preprocessing.normalise(prepared)).numpy()
    features = pooled_features(network, data, batch_size=4)
    assert features.shape == (10, network.n_features) and features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-3)
    assert np.array_equal(pooled_features(network, images, cache=False, batch_size=4), features)


def test_threads_change_neither_the_features_nor_torchs_setting(network, data):
    torch.set_num_threads(2)
    options = {"size": SIZE, "variant": Noise(0.1), "batch_size": 2, "cache": False}
    alone = pooled_features(network, data, workers=1, **options)
    together = pooled_features(network, data, workers=4, **options)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", ["googlenet", "densenet121", "resnet50"])
def test_folding_the_normalisations_changes_nothing_but_rounding(name, images):
    torch.manual_seed(0)
    network = backbone(name, pretrained=False).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics as training leaves them
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
    features = pooled_features(network, images[:2], size=SIZE, cache=False)
    assert network.training  # as it was
    preparation = network.preprocessing
    square = np.stack([network.preprocessing.__class__(SIZE, SIZE, preparation.interpolation,
                       preparation.mean, preparation.std).whole(image) for image in images[:2]])  # fmt: skip
    with torch.inference_mode():
        expected = network.eval()(preparation.normalise(square)).numpy()
    np.testing.assert_allclose(features, expected, atol=1e-4 * np.abs(expected).max(), rtol=1e-3)


def test_the_second_call_reads_no_image(network, data, source, cache):
    first = pooled_features(network, data, size=SIZE)
    assert source.reads == 10
    second = pooled_features(network, data.with_columns(label=0), size=SIZE)  # labels play no role
    assert source.reads == 10
    assert isinstance(second, np.memmap) and np.array_equal(first, second)
    assert [path.parent.name for path in files_in(cache)] == ["features"]


def test_what_is_written_to_the_array_does_not_reach_the_file(network, data):
    features = pooled_features(network, data, size=SIZE)
    before = features.copy()
    torch.from_numpy(features).zero_()
    assert np.array_equal(pooled_features(network, data, size=SIZE), before)


def test_other_images_size_variant_or_weights_are_other_features(network, data, cache):
    others = [
        pooled_features(network, data, size=SIZE),
        pooled_features(network, data.subset([9, *range(9)]), size=SIZE),
        pooled_features(network, data, size=96),
        pooled_features(network, data, size=SIZE, variant=UpsideDown()),
        pooled_features(network, data, size=SIZE, variant=Noise(0.1)),
        pooled_features(network, data, size=SIZE, variant=Noise(0.2)),
        pooled_features(network, data, size=SIZE, variant=Noise(0.2), seed=1),
    ]
    changed = backbone()
    with torch.no_grad():
        changed.trunk.head.conv.weight[0] *= 2  # one step of fine-tuning
    others.append(pooled_features(changed, data, size=SIZE))
    assert len(files_in(cache)) == len(others)
    for i, one in enumerate(others):
        assert not any(np.array_equal(one, other) for other in others[:i])
    np.testing.assert_allclose(others[0][9], others[1][0], atol=1e-3)  # the same image


def test_a_variant_draws_the_same_in_every_run_and_leaves_the_generator_alone(network, data):
    torch.manual_seed(1)
    first = pooled_features(network, data, size=SIZE, variant=Noise(0.2), cache=False)
    drawn = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), drawn)
    assert np.array_equal(pooled_features(network, data, size=SIZE, variant=Noise(0.2), cache=False), first)


def test_variants_stand_side_by_side(network, data, source):
    features = variant_features(network, data, [None, UpsideDown(), Noise(0.1), Noise(0.1)], size=SIZE)
    assert features.shape == (10, 4, network.n_features)
    assert np.array_equal(features[:, 0], pooled_features(network, data, size=SIZE))
    assert not np.array_equal(features[:, 2], features[:, 3])
    assert source.reads == 40


def test_a_variant_without_a_lasting_name_is_a_sentence(network, data):
    for variant in (lambda batch: batch, upside_down, partial(upside_down)):
        with pytest.raises(K2CError, match="no name that lasts"):
            pooled_features(network, data, variant=variant)


@pytest.mark.parametrize("damage", ["short", "long", "empty", "text", "another shape"])
def test_a_damaged_file_is_computed_anew(damage, network, data, cache):
    features = pooled_features(network, data, size=SIZE)
    expected = features.copy()
    (file,) = files_in(cache)
    content = file.read_bytes()
    file.write_bytes(
        {"short": content[:-1], "long": content + b"0", "empty": b"", "text": b"<html>" * 99}.get(damage, b"")
    )
    if damage == "another shape":
        np.save(file, np.zeros((10, 3), np.float32))
    assert np.array_equal(pooled_features(network, data, size=SIZE), expected)
    assert files_in(cache) == [file] and file.read_bytes() == content


def test_an_interrupted_computation_leaves_nothing(network, data, source, cache, monkeypatch):
    monkeypatch.setattr(CountingSource, "break_at", 7)
    with pytest.raises(K2CError, match="unreadable"):
        pooled_features(network, data, size=SIZE, batch_size=2)
    assert files_in(cache) == []
    monkeypatch.setattr(CountingSource, "break_at", None)
    assert pooled_features(network, data, size=SIZE).shape == (10, network.n_features)


def test_two_at_once_compute_once(network, data, source, cache):
    results = []
    both = [
        threading.Thread(target=lambda: results.append(pooled_features(network, data, size=SIZE)))
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert source.reads == 10
    assert np.array_equal(*results)
    assert len(files_in(cache)) == 1


def test_without_a_place_to_keep_them_they_are_computed_all_the_same(network, data, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="not kept.*Set K2C_DATA"):
        features = pooled_features(network, data, size=SIZE)
    assert features.shape == (10, network.n_features)


def test_grey_images_are_read_too(network, images):
    grey = pooled_features(network, images[..., 0], size=SIZE)
    same = pooled_features(network, np.repeat(images[..., :1], 3, axis=3), size=SIZE)
    assert np.array_equal(grey, same)
