"""From labelled images to a classifier: the last layer on pretrained features, then all of the network if asked."""

import os
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from k2c.datasets import LabelledImages, split_by_patient
from k2c.errors import K2CError
from k2c.metrics import accuracy
from k2c.models.backbones import Backbone
from k2c.models.backbones import backbone as make_backbone
from k2c.models.catalogue import OFFLINE
from k2c.models.class_maps import AnswerGraph
from k2c.models.feature_cache import pooled_features
from k2c.models.model_card import NOT_FOR, ModelCard
from k2c.models.own_classifier import OwnClassifier
from k2c.models.prediction_sheet import PredictionSheet
from k2c.models.views import check_kind, square_of
from k2c.own.held_out import held_out_table, performance
from k2c.training import (
    History,
    InMemoryLoader,
    LearningRateSchedule,
    MultiLabelLoss,
    RateSearch,
    find_learning_rate,
    fit,
)

_BATCH = 16
_DECAY = 0.1  # of AdamW; a thousand features and forty images would otherwise be learnt by heart
_TRUNK_RATE = 1e-4  # what a million photographs taught shall not be lost in the first steps


@dataclass
class FineTuned:
    """A classifier, how it was trained, and how well it does.

    Attributes
    ----------
    classifier
        `classifier.network` computes; `k2c predict --model` and `k2c export` use what `save` writes.
    search
        Learning rates that were tried, the loss of each, and the one that was taken (`search.suggestion`).
    history
        Of the last layer, a row per epoch; then, with `trunk_epochs`, of all weights.
    train, test
        The images it learnt from, and those that were held out. Nothing was chosen by the latter.
    probabilities
        Of the held-out images, float32 (N, classes).
    """

    classifier: OwnClassifier
    search: RateSearch
    history: History
    train: LabelledImages
    test: LabelledImages
    probabilities: NDArray[np.float32] = field(repr=False)
    squares: NDArray[np.uint8] = field(repr=False)

    def report(self) -> pd.DataFrame:
        """Return how well it does on the held-out images, class by class, with 95 % intervals."""
        return held_out_table(self.test, self.probabilities)

    def mistakes(self, most: int = 20) -> pd.DataFrame:
        """Return the held-out images that were mistaken, the surest mistake first.

        Returns
        -------
        pandas.DataFrame
            `row` (in `test`), `image`, `truth`, `answer`, `probability` (of the answer; of several findings, that of
            the wrong side).
        """
        names, truth, p = self.classifier.classes, self.test.labels, self.probabilities
        rows = []
        for row, (image, right) in enumerate(zip(self.test.table["image"], truth, strict=True)):
            if not self.test.multi_label:
                answer = int(p[row].argmax())
                if answer != right:
                    rows.append((row, image, names[right], names[answer], float(p[row, answer])))
                continue
            for place in np.flatnonzero(
                np.abs(p[row] - right) > 0.5
            ):  # NaN, which is not known, is no mistake
                there, sure = right[place] == 1, float(abs(p[row, place] - (1 - right[place])))
                words = (f"{names[place]}: {'yes' if yes else 'no'}" for yes in (there, not there))
                rows.append((row, image, *words, 1 - sure))
        columns = ["row", "image", "truth", "answer", "probability"]
        table = pd.DataFrame(rows, columns=columns).sort_values("probability", ascending=False, kind="stable")
        return table.head(most).reset_index(drop=True)

    def write_mistakes(self, file: str | os.PathLike[str], most: int = 20) -> int:
        """Write an HTML sheet of the worst mistakes with maps of where, and return how many are on it."""
        graph, table = AnswerGraph(self.classifier).eval(), self.mistakes(most)
        with PredictionSheet(file, self.classifier, "Mistakes on held-out images") as sheet:
            for row, image, truth, answer, _ in table.itertuples(index=False, name=None):
                square = self.squares[row]
                with torch.inference_mode():
                    answers = graph(torch.from_numpy(square[None]).to(graph.scale.device))
                sheet.add(image, square, answers, 0, f"It is {truth}, and the answer was {answer}.")
        return len(table)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the classifier: weights, classes, preprocessing, card, versions and checksum."""
        self.classifier.save(file)


def fine_tune(
    data: LabelledImages,
    *,
    backbone: str = OFFLINE,
    epochs: int = 30,
    kind: str = "photograph",
    learning_rate: float | None = None,
    trunk_epochs: int = 0,
    test_fraction: float = 0.25,
    not_for: str = NOT_FOR,
    seed: int = 0,
    progress: bool = False,
) -> FineTuned:
    """Train a pretrained network for classes of your own, and measure it on images that were held out.

    The images are split by patient. A linear layer is trained on the features of the training images and of their
    mirror images (films are not mirrored: the heart has its side). The network may then go on with all of its weights.

    Parameters
    ----------
    data
        One label an image or several findings: what `load_images`, `load_fundus` or `load_chest` returns.
    backbone
        The pretrained network, one of `k2c.models.backbone_table()`.
    epochs
        Of the last layer.
    kind
        What an image is: `"photograph"` (the middle is seen), `"fundus"` (cut to the eye) or `"film"` (whole, grey).
    learning_rate
        Of the last layer. Left out, it is searched for (`find_learning_rate`).
    trunk_epochs
        Epochs after these in which all weights learn. With fewer than some hundred images, 0 is the better choice.
    test_fraction
        Of the images, held out.
    not_for
        For the card: what the classifier must not be used for.
    seed
        Chooses the split, and the order of the images.
    progress
        Whether to show progress bars.

    Raises
    ------
    K2CError
        When the images are too few to be split, one cannot be read, or there is no such backbone or kind.
    """
    check_kind(kind)
    if epochs < 1 or trunk_epochs < 0:
        raise K2CError(f"epochs={epochs} must be 1 or more, and trunk_epochs={trunk_epochs} 0 or more.")
    network = make_backbone(backbone)
    train, test = split_by_patient(data, test_fraction, seed)
    squares = [_squares(part, network, kind, progress) for part in (train, test)]
    targets = [_targets(part) for part in (train, test)]
    mirrored = kind != "film"
    inputs = squares[0] if not mirrored else np.concatenate([squares[0], squares[0][:, :, ::-1]])
    features = [_features(network, images, progress) for images in (inputs, squares[1])]
    learnt = torch.cat([targets[0], targets[0]]) if mirrored else targets[0]
    loss = MultiLabelLoss() if data.multi_label else nn.CrossEntropyLoss()
    layer, search, history = _last_layer(
        features[0], learnt, features[1], targets[1], len(data.classes), loss, epochs, learning_rate, seed
    )
    network.classifier = layer
    if trunk_epochs:
        batches = InMemoryLoader(torch.from_numpy(inputs), learnt, _BATCH, shuffle=True, seed=seed)
        held_out = InMemoryLoader(torch.from_numpy(squares[1]), targets[1], _BATCH)
        history.rows += _all_weights(network, batches, held_out, loss, trunk_epochs).rows
    own = OwnClassifier(
        network, data.classes, layer.weight, layer.bias, multi_label=data.multi_label, kind=kind,
        own_weights=trunk_epochs > 0,
    )  # fmt: skip
    probabilities = _probabilities(own, squares[1])
    own.card = ModelCard(_trained_on(train), performance(test, probabilities), not_for)
    return FineTuned(own, search, history, train, test, probabilities, squares[1])


def _squares(data: LabelledImages, network: Backbone, kind: str, progress: bool) -> NDArray[np.uint8]:
    preprocessing = network.preprocessing
    return np.stack(list(data.each(
        lambda image: square_of(image, kind, preprocessing, cropped=True),
        at_least=preprocessing.resize,
        progress="reading images" if progress else False,
    )))  # fmt: skip


def _features(network: Backbone, squares: NDArray[np.uint8], progress: bool = False) -> Tensor:
    return torch.tensor(pooled_features(network, squares, cache=False, progress=progress))


def _targets(data: LabelledImages) -> Tensor:
    return torch.tensor(data.labels)


def _last_layer(
    features: Tensor, targets: Tensor, held_out: Tensor, held_out_targets: Tensor, classes: int, loss: nn.Module,
    epochs: int, rate: float | None, seed: int,
) -> tuple[nn.Linear, RateSearch, History]:  # fmt: skip
    """Train a linear layer on centred and scaled features, and return one that reads the features as they are."""
    # One scale for all: a feature that happens to be constant in forty images is not in the forty-first.
    mean, spread = features.mean(dim=0), features.std(dim=0).mean().clamp(min=1e-6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    batches = InMemoryLoader((features - mean) / spread, targets, _BATCH, shuffle=True, seed=seed)
    valid = InMemoryLoader((held_out - mean) / spread, held_out_targets, 256)
    search = find_learning_rate(layer, batches, loss)
    rate = search.suggestion if rate is None else rate
    steering = torch.optim.AdamW(layer.parameters(), lr=rate, weight_decay=_DECAY)
    fall = LearningRateSchedule(lambda step: 0.5 + 0.5 * np.cos(np.pi * step / (epochs * len(batches))))
    metrics = {} if isinstance(loss, MultiLabelLoss) else {"accuracy": accuracy(classes)}
    history = fit(
        layer, batches, valid, loss=loss, optimizer=steering, epochs=epochs, metrics=metrics, callbacks=[fall],
        device="cpu",
    )  # fmt: skip
    plain = nn.Linear(features.shape[1], classes)
    with torch.no_grad():
        plain.weight.copy_(layer.weight / spread)
        plain.bias.copy_(layer.bias - (layer.weight * (mean / spread)).sum(dim=1))
    return plain, search, history


class _Whole(nn.Module):
    """From squares, uint8, to logits; batch normalisation keeps what a million photographs taught it."""

    def __init__(self, network: Backbone) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network.logits(self.network.preprocessing.normalise(images))

    def train(self, mode: bool = True) -> "_Whole":
        super().train(mode)
        for part in self.modules():
            if isinstance(part, _BatchNorm):
                part.eval()
        return self


def _all_weights(
    network: Backbone, batches: InMemoryLoader, valid: InMemoryLoader, loss: nn.Module, epochs: int
) -> History:
    model = _Whole(network)
    steering = torch.optim.AdamW(model.parameters(), lr=_TRUNK_RATE)
    warm = LearningRateSchedule(warm_up_steps=len(batches))
    history = fit(
        model,
        batches,
        valid,
        loss=loss,
        optimizer=steering,
        epochs=epochs,
        callbacks=[warm],
        channels_last=True,
    )
    network.eval().cpu()
    return history


def _probabilities(own: OwnClassifier, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
    features = _features(own.network, squares)
    with torch.inference_mode():
        assert own.network.classifier is not None
        return own.probabilities(own.network.classifier(features)).numpy()


def _trained_on(data: LabelledImages) -> str:
    patients = data.table["patient"].nunique()
    of = f" of {patients:,} patients" if patients < len(data) else ""
    counts = ", ".join(f"{name} {count:,}" for name, count in data.counts().items())
    return f"{len(data):,} images{of} of the folder {data.name}: {counts}."
