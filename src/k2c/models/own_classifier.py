"""A classifier of one's own: new classes on the features of a pretrained network, kept in a small file."""

import copy
import io
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from k2c._system.atomic import atomic_path
from k2c._system.plain_file import UnreadableError, read_bytes
from k2c._system.sealed import problem_of, seal
from k2c.errors import K2CError
from k2c.models.backbones import Backbone, backbone
from k2c.models.preprocessing import Preprocessing
from k2c.models.weights import WeightsError

MOST_BYTES = 50_000_000  # 1,000 classes on the 4,096 features of VGG take 16 MB
_KIND = "classifier 1"
_SCHEMA = {
    "network": str,
    "weights": str,
    "preprocessing": dict,
    "classes": list,
    "weight": torch.Tensor,
    "bias": torch.Tensor,
}


class OwnClassifier:
    """A frozen pretrained network whose last layer names classes of one's own.

    Parameters
    ----------
    network
        Any of `k2c.models.backbone`; it is not changed.
    classes
        Names, each once, two or more.
    weight, bias
        Of the linear layer from features to logits, (classes, n_features) and (classes,): arrays or tensors. For two
        classes a single row will do, that of the second class, as scikit-learn's linear classifiers have it.

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

    def __init__(self, network: Backbone, classes: Sequence[str], weight: Any, bias: Any) -> None:
        self.classes = tuple(str(name) for name in classes)
        weight, bias = (torch.as_tensor(values).detach().float().cpu() for values in (weight, bias))
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2 or not all(self.classes):
            raise K2CError(
                f"The classes are {list(self.classes)}. Give two names or more, each of them once."
            )
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
        self.network = copy.copy(network)
        self.network._modules = dict(network._modules)  # not the dictionary of the other network
        self.network.classifier = layer.to(next(network.parameters()).device).eval()

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the classes and the last layer; of the pretrained network its name and a hash, not its weights."""
        layer = self.network.classifier
        assert isinstance(layer, nn.Linear)
        content = {
            "network": self.network.name,
            "weights": self.network.weights_hash(),
            "preprocessing": asdict(self.network.preprocessing),
            "classes": list(self.classes),
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
    network = backbone(content["network"])
    if network.weights_hash() != content["weights"]:
        raise WeightsError(
            f"{file} was fitted on other weights of {network.name} than those that are here. Fit it again."
        )
    try:
        network.preprocessing = _preprocessing(content["preprocessing"])
        return OwnClassifier(network, content["classes"], content["weight"], content["bias"])
    except K2CError as error:
        raise WeightsError(f"{file} does not hold a classifier that can be used: {error}") from error


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
