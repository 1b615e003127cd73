"""TransferModel: frozen means frozen, and features and images train the same head."""

import copy
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from k2c.datasets import folds_by_patient
from k2c.datasets.fundus import load_fundus
from k2c.metrics import roc_auc
from k2c.models import TransferModel, backbone, pooled_features
from k2c.training import BalancedLoader, InMemoryLoader, fit, predict

SIZE = 64


@pytest.fixture(scope="module")
def lite0():
    return backbone()


@pytest.fixture
def network(lite0):
    return copy.deepcopy(lite0)


@pytest.fixture(scope="module")
def stripes():
    """Eight images of two kinds: fine stripes, broad stripes."""
    rows, label = np.arange(SIZE), np.arange(8) % 2
    values = 127 + 100 * np.sin(rows / np.where(label, 1.0, 6.0)[:, None] + np.arange(8)[:, None])
    images = np.broadcast_to(values[:, :, None, None], (8, SIZE, SIZE, 3)).astype(np.uint8)
    return np.ascontiguousarray(images), torch.tensor(label)


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def differing(before: dict, after: dict) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


def train(model: nn.Module, inputs, labels, learning_rate: float = 1e-3):
    return fit(
        model,
        InMemoryLoader(inputs, labels, batch_size=4, shuffle=True),
        loss=nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=learning_rate),
        epochs=5,
        device="cpu",
    )


def test_the_head_is_the_lectures_and_starts_from_the_seed_alone(network):
    def head(make):
        torch.manual_seed(3)
        return TransferModel(make()).head

    first = head(lambda: network)
    assert [type(layer).__name__ for layer in first] == ["Flatten", "Linear", "ReLU", "Linear"]
    assert (first.linear1.in_features, first.linear1.out_features, first.linear2.out_features) == (
        1280,
        128,
        2,
    )
    again = head(lambda: backbone())  # loading the weights draws nothing
    assert not differing(first.state_dict(), again.state_dict())


def test_a_frozen_backbone_stays_as_it_is_in_training_too(network, stripes):
    images, labels = stripes
    model = TransferModel(network)
    before = state_of(model.backbone)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 1280 * 128 + 128 + 128 * 2 + 2
    history = train(model, network.preprocessing.normalise(images), labels, 0.01)
    assert model.training and not model.backbone.training and model.head.training
    assert not differing(before, model.backbone.state_dict())  # running means and variances included
    assert history.rows[-1]["train_loss"] < history.rows[0]["train_loss"] / 2


def test_training_the_head_on_features_is_training_the_frozen_model(network, stripes, tmp_path, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(tmp_path))
    images, labels = stripes
    torch.manual_seed(0)
    model = TransferModel(network)
    head = copy.deepcopy(model.head)
    features = torch.from_numpy(pooled_features(network, images, size=SIZE))
    on_features = train(head, features, labels)
    on_images = train(model, network.preprocessing.normalise(images), labels)
    losses = [[row["train_loss"] for row in history.rows] for history in (on_features, on_images)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_grad_cam_can_look_through_a_frozen_backbone(network, stripes):
    model = TransferModel(network)
    maps = []
    network.last_convolution.register_forward_hook(lambda module, args, output: maps.append(output))
    inputs = network.preprocessing.normalise(stripes[0][:1]).requires_grad_()
    gradient = torch.autograd.grad(model(inputs)[0, 1], maps)[0]
    assert gradient.shape == maps[0].shape == (1, 1280, 2, 2)
    assert gradient.abs().sum() > 0


@pytest.mark.realdata
@pytest.mark.timeout(600)
def test_the_head_finds_referable_eyes_on_real_photographs(capsys):
    """Block 16 and 384 pixels were chosen on the same photographs; chosen by inner folds, the area is 0.01 smaller."""
    root = os.environ.get("K2C_REALDATA")
    if not root:
        pytest.skip("K2C_REALDATA is not set")
    data = load_fundus(Path(root) / "fundus")
    features = pooled_features(backbone().cut("block16", "mean+max"), data, size=384)
    scores = np.zeros(len(data))
    for learn, judge in folds_by_patient(data, 5):
        mean, spread = features[learn].mean(axis=0), features[learn].std(axis=0) + 1e-6
        inputs = torch.from_numpy((features - mean) / spread)
        torch.manual_seed(0)
        head = TransferModel(backbone().cut("block16", "mean+max")).head
        loader = BalancedLoader(inputs[learn], torch.from_numpy(data.labels[learn]).long(), 32, seed=0)
        optimizer = torch.optim.AdamW(head.parameters(), lr=1e-4, weight_decay=1.0)
        fit(head, loader, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=20, device="cpu")
        logits = predict(head, inputs[judge])
        scores[judge] = (logits[:, 1] - logits[:, 0]).numpy()
    area = roc_auc(scores, data.labels)
    with capsys.disabled():
        print(f"\n640 real photographs, referable: AUC {area:.3f}")
    assert area > 0.65
