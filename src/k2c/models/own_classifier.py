"""A classifier of one's own: new classes on the features of a pretrained network, kept in a small file."""

import copy
import io
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from k2c._system.atomic import atomic_path
from k2c._system.plain_file import UnreadableError, read_bytes
from k2c._system.sealed import problem_of, seal
from k2c.errors import K2CError
from k2c.models.backbones import Backbone, backbone
from k2c.models.catalogue import NETWORKS
from k2c.models.imagenet import imagenet_classes
from k2c.models.model_card import ModelCard, read_card
from k2c.models.preprocessing import Preprocessing
from k2c.models.views import check_kind
from k2c.models.weights import WeightsError

MOST_BYTES = 700_000_000  # VGG, all of whose weights were trained, takes 560 MB
_KIND = "classifier 2"
_SCHEMA = {
    "network": str,
    "weights": str,
    "state": dict,
    "preprocessing": dict,
    "kind": str,
    "classes": list,
    "multi_label": bool,
    "weight": torch.Tensor,
    "bias": torch.Tensor,
    "card": dict,
    "versions": dict,
}
_IMAGENET = ModelCard(
    trained_on="ImageNet: 1.28 million photographs of 1,000 kinds of things (Russakovsky and others, 2015).",
    measured="Right on {:.1f} % of ImageNet's 50,000 validation photographs, as published with the weights.",
)


class OwnClassifier:
    """A pretrained network whose last layer names classes of one's own.

    Parameters
    ----------
    network
        Any of `k2c.models.backbone`; it is not changed.
    classes
        Names, each once, two or more (with `multi_label` one will do).
    weight, bias
        Of the linear layer from features to logits, (classes, n_features) and (classes,): arrays or tensors. For two
        classes a single row will do, that of the second class, as scikit-learn's linear classifiers have it.
    multi_label
        Whether an image may have several of the classes, or none: each has a probability of its own then.
    kind
        How an image becomes the network's square: `"photograph"`, `"fundus"` or `"film"`.
    card
        What its users must know.
    own_weights
        Whether the network's weights were trained, too: the file then holds all of them.

    Attributes
    ----------
    network
        A backbone that shares the weights of the one that was given, and whose classifier is the new layer:
        `image_logits(own.network, images)` gives the logits, float32 (N, classes).
    classes
        The names, in the order of the logits.

    Raises
    ------
    K2CError
        When names or shapes do not fit.

    Examples
    --------
    >>> network = backbone()
    >>> weight, bias = torch.zeros(2, network.n_features), torch.zeros(2)
    >>> OwnClassifier(network, ["cat", "dog"], weight, bias).classes
    ('cat', 'dog')
    """

    def __init__(
        self,
        network: Backbone,
        classes: Sequence[str],
        weight: Any,
        bias: Any,
        *,
        multi_label: bool = False,
        kind: str = "photograph",
        card: ModelCard | None = None,
        own_weights: bool = False,
    ) -> None:
        check_kind(kind)
        self.classes = tuple(str(name) for name in classes)
        self.multi_label, self.kind, self.own_weights = multi_label, kind, own_weights
        self.card = card or ModelCard()
        self.network = copy.copy(network)
        self.network._modules = dict(network._modules)  # not the dictionary of the other network
        layer = self._last_layer(network, weight, bias)
        self.network.classifier = layer.to(next(network.parameters()).device).eval()

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the probability of each class, (N, classes), for logits of that shape."""
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=1)

    def _last_layer(self, network: Backbone, weight: Any, bias: Any) -> nn.Linear:
        weight, bias = (torch.as_tensor(values).detach().float().cpu() for values in (weight, bias))
        least = 1 if self.multi_label else 2
        if len(set(self.classes)) < max(least, len(self.classes)) or not all(self.classes):
            words = "a name or more" if self.multi_label else "two names or more"
            raise K2CError(f"The classes are {list(self.classes)}. Give {words}, each of them once.")
        if len(self.classes) == 2 and len(weight) == len(bias) == 1:
            weight, bias = (torch.cat([torch.zeros_like(values), values]) for values in (weight, bias))
        shapes = (len(self.classes), network.n_features), (len(self.classes),)
        if (weight.shape, bias.shape) != shapes:
            raise K2CError(
                f"The last layer has weights of shape {tuple(weight.shape)} and biases of shape {tuple(bias.shape)}. "
                f"{len(self.classes)} classes on the features of {network.name} need {shapes[0]} and {shapes[1]}."
            )
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise K2CError("The last layer has weights that are not finite numbers. Fit it again.")
        layer = nn.Linear(network.n_features, len(self.classes))
        layer.load_state_dict({"weight": weight, "bias": bias})
        return layer

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the classes, the last layer and the card, with a checksum.

        Of a pretrained network that was not trained further, the file holds the name and a hash instead of the
        weights.
        """
        layer = self.network.classifier
        assert isinstance(layer, nn.Linear)
        trained = self.network.state_dict() if self.own_weights else {}
        content = {
            "network": self.network.name,
            "weights": self.network.weights_hash(),
            "state": {
                name: value.cpu() for name, value in trained.items() if not name.startswith("classifier.")
            },
            "preprocessing": asdict(self.network.preprocessing),
            "kind": self.kind,
            "classes": list(self.classes),
            "multi_label": self.multi_label,
            "card": asdict(self.card),
            "versions": {"torch": str(torch.__version__), "python": platform.python_version()},
            "weight": layer.weight.detach().cpu(),
            "bias": layer.bias.detach().cpu(),
        }
        buffer = io.BytesIO()
        torch.save(content, buffer)
        with atomic_path(file) as part:
            part.write_bytes(buffer.getvalue() + seal(buffer.getvalue(), _KIND))


def load_classifier(file: str | os.PathLike[str]) -> OwnClassifier:
    """Read what `OwnClassifier.save` wrote, and check all of it; nothing in it is executed.

    The pretrained network comes from where `k2c.models.backbone` has it.

    Raises
    ------
    WeightsError
        When there is no such file, when it is damaged or something else, or when the pretrained weights are not
        those that the classifier was fitted on.
    """
    file = Path(file)
    content = _content(file)
    network = _network(file, content)
    if network.weights_hash() != content["weights"]:
        raise WeightsError(
            f"{file} was fitted on other weights of {network.name} than those that are here. Fit it again."
        )
    try:
        network.preprocessing = _preprocessing(content["preprocessing"])
        card, own_weights = read_card(content["card"]), bool(content["state"])
        options = {name: content[name] for name in ("multi_label", "kind")}
        options |= {"card": card, "own_weights": own_weights}
        return OwnClassifier(network, content["classes"], content["weight"], content["bias"], **options)
    except K2CError as error:
        raise WeightsError(f"{file} does not hold a classifier that can be used: {error}") from error


def imagenet_classifier(name: str) -> OwnClassifier:
    """Return a pretrained network with ImageNet's own 1,000 classes.

    Parameters
    ----------
    name
        Of the network, one of `backbone_table()`.

    Raises
    ------
    K2CError
        When there is no such network, its weights cannot be had, or its last layer is not a single linear one.
    """
    network = backbone(name)
    layer = network.classifier
    if not isinstance(layer, nn.Linear):
        raise K2CError(f"{name} has no single linear layer at its end. Take another network.")
    card = replace(_IMAGENET, measured=_IMAGENET.measured.format(100 * NETWORKS[name].top1))
    names = list(imagenet_classes()["name"])
    return OwnClassifier(network, names, layer.weight, layer.bias, card=card)


def _network(file: Path, content: dict[str, Any]) -> Backbone:
    if not content["state"]:
        return backbone(content["network"])
    network = backbone(content["network"], pretrained=False)
    expected = {name for name in network.state_dict() if not name.startswith("classifier.")}
    try:
        if content["state"].keys() != expected:
            raise RuntimeError("other names")
        network.load_state_dict(content["state"], strict=False)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise WeightsError(f"{file} does not hold the weights of {network.name}.") from error
    return network


def _content(file: Path) -> dict[str, Any]:
    try:
        raw = read_bytes(file, MOST_BYTES)
    except OSError as error:
        raise WeightsError(
            f"{file} cannot be read ({error.strerror}). Name a file that OwnClassifier.save wrote."
        ) from error
    except UnreadableError as error:
        raise WeightsError(str(error)) from error
    if problem := problem_of(raw, _KIND):
        raise WeightsError(f"{file} is damaged, or no classifier that OwnClassifier.save wrote: {problem}.")
    try:
        content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # torch's reader fails in many ways
        raise WeightsError(
            f"{file} holds more than numbers and names, and is not loaded ({type(error).__name__})."
        ) from error
    for name, kind in _SCHEMA.items():
        if not isinstance(content, dict) or not isinstance(content.get(name), kind):
            raise WeightsError(
                f"{file} holds no classifier: its entry '{name}' is missing or no {kind.__name__}."
            )
    return content


def _preprocessing(recipe: dict[str, Any]) -> Preprocessing:
    """Return the preparation of the inputs; the numbers of a file that somebody wrote must not fill the memory."""
    try:
        made = Preprocessing(**recipe)
        sides = 8 <= made.size <= made.resize <= 2048
        colours = len(made.mean) == len(made.std) == 3 and min(made.std) > 0
        usable = sides and colours and made.interpolation in ("bilinear", "bicubic")
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise K2CError("its entry 'preprocessing' does not say how inputs are made.")
    return made
