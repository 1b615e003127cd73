"""The DenseNet of torchxrayvision: its file is a whole pickled module, of which nothing but tensors may be read."""

import hashlib
import io
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn

from k2c.datasets import downloads
from k2c.models import CHEST_CLASSES, WeightsError, backbones, chest_backbone, pooled_features
from k2c.models.architectures import densenet121_chest

THEIRS = ("DenseNet", "_DenseBlock", "_DenseLayer", "_Transition")


def saved(module: nn.Module, legacy: bool = True) -> bytes:
    """Return the file of a module, as torch wrote it in 2020 (`legacy`) or writes it now."""
    buffer = io.BytesIO()
    torch.save(module, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def published():
    """The network as torchxrayvision pickles it: classes of a package that is not installed where it is read."""
    network = densenet121_chest().original
    package, models = ModuleType("torchxrayvision"), ModuleType("torchxrayvision.models")
    for module in network.modules():
        name = type(module).__name__
        if name in THEIRS:
            vars(models).setdefault(name, type(name, (type(module),), {"__module__": models.__name__}))
            module.__class__ = vars(models)[name]
    with pytest.MonkeyPatch.context() as patch, pytest.warns(UserWarning, match="source code"):
        patch.setitem(sys.modules, package.__name__, package)
        patch.setitem(sys.modules, models.__name__, models)
        files = {legacy: saved(network, legacy) for legacy in (True, False)}
    return network.eval(), files


@pytest.fixture
def on_server(server, published, tmp_path, monkeypatch):
    """A server that has the file, its address and hash in the catalogue, and an empty cache."""
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("K2C_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "RETRY_WAITS", (0.01, 0.01))
    server.content = published[1][True]
    monkeypatch.setattr(backbones, "CHEST_URL", f"http://127.0.0.1:{server.server_address[1]}/best.pt")
    monkeypatch.setattr(backbones, "CHEST_SHA256", hashlib.sha256(server.content).hexdigest())
    return server


@pytest.mark.parametrize("legacy", [True, False])
def test_it_computes_what_the_published_network_does(legacy, published, tmp_path):
    (tmp_path / "best.pt").write_bytes(published[1][legacy])
    network = chest_backbone(tmp_path / "best.pt")
    film = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    inputs = network.preprocessing.normalise(torch.from_numpy(film[None, ..., None].repeat(3, axis=3)))
    theirs = torch.from_numpy((2 * (film / np.float32(255)) - 1) * 1024)[None, None]  # from -1024 to 1024
    with torch.inference_mode():
        torch.testing.assert_close(network.logits(inputs), published[0](theirs), atol=1e-4, rtol=1e-4)
    assert sum(p.numel() for p in network.parameters()) == 6_966_034
    assert len(CHEST_CLASSES) == 18 and not network.training
    assert "torchxrayvision" not in sys.modules


def test_it_is_a_backbone_as_the_others_are(published, tmp_path):
    (tmp_path / "best.pt").write_bytes(published[1][False])
    network = chest_backbone(tmp_path / "best.pt")
    torch.save(network.state_dict(), tmp_path / "mine.pt")
    assert chest_backbone(tmp_path / "mine.pt").weights_hash() == network.weights_hash()
    films = np.random.default_rng(0).integers(0, 256, (2, 64, 64), dtype=np.uint8)
    assert pooled_features(network, films, size=64, cache=False).shape == (2, network.n_features) == (2, 1024)


@pytest.mark.parametrize("faults", [["truncated"], ["wrong"]])
def test_the_file_arrives_once_and_is_used_offline(faults, on_server, monkeypatch):
    on_server.faults += faults
    first = chest_backbone().weights_hash()
    asked = len(on_server.seen)
    assert asked == len(faults) + 1
    monkeypatch.setenv("K2C_OFFLINE", "1")
    assert chest_backbone().weights_hash() == first and len(on_server.seen) == asked


@pytest.mark.parametrize(
    ("faults", "sentence"),
    [
        (["wrong", "wrong"], r"'densenet121_chest' are not in the cache .*arrived with the wrong content"),
        (["truncated"] * 3, "broke off"),
        ([404], "404"),
    ],
)
def test_a_file_that_does_not_arrive_whole_is_a_sentence(faults, sentence, on_server, tmp_path):
    on_server.faults += faults
    with pytest.raises(WeightsError, match=sentence):
        chest_backbone()
    assert not list((tmp_path / "cache/weights").glob("*.pt"))


def test_without_the_network_the_sentence_names_what_works(on_server, monkeypatch):
    monkeypatch.setenv("K2C_OFFLINE", "1")
    with pytest.raises(
        WeightsError, match=r"K2C_OFFLINE forbids the network.*backbone\('efficientnet_lite0'\)"
    ):
        chest_backbone()


class Evil:
    def __reduce__(self):
        return os.mkdir, ("evil",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            saved(nn.Sequential(nn.Linear(2, 2)), legacy=False),
            r"it lacks features\.conv0\.weight.*; it has besides 0",
        ),
        (saved(Evil()), "it lacks features"),
        (saved(Evil(), legacy=False), "it lacks features"),
        (saved(nn.ReLU(), legacy=False)[:-200], "damaged"),
        (b"", "damaged"),
        (b"<html>Not found</html>", "damaged"),
    ],
)
def test_a_wrong_file_is_a_sentence_and_runs_nothing(content, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("best.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=sentence):
        chest_backbone("best.pt")
    assert not Path("evil").exists()
