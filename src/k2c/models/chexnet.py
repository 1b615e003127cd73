"""CheXNet: a network trained on ImageNet, its features averaged over the film, and one logit a finding."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from k2c._system.torchvision_compat import import_torchvision
from k2c.errors import K2CError, unknown
from k2c.models.backbones import Backbone, backbone, chest_backbone
from k2c.models.preprocessing import Preprocessing

BACKBONES = ("densenet121", "vgg16", "efficientnet_lite0", "densenet121_chest")
SMALL = ("small_densenet", "small_vgg")  # the same constructions, narrow and shallow: they train on a laptop
BIASES = ("ones", "prior", "zeros")
FINDINGS = 14


class CheXNet(nn.Module):
    """A backbone without its classifier, the mean over places, and one dense layer.

    Parameters
    ----------
    name
        The network that the trunk is of.
    trunk
        From films to the last map of features.
    n_features
        Channels of that map.
    last
        The name of the module in the trunk whose output Grad-CAM looks at.
    preprocessing
        As of `Backbone`; None for a network that learns from nothing.

    Attributes
    ----------
    trunk
        From films, float32 (N, 3, S, S), to the last map of features.
    pool
        The mean over places, in every backbone (VGG's own hidden layers are left away).
    dense
        From the features to the logits.
    preprocessing
        How films become inputs: `model.preprocessing.normalise(...)`, at any side of 32 pixels or more.
    last_convolution
        The module whose output is the last map of features: where Grad-CAM looks.

    References
    ----------
    Rajpurkar et al.: CheXNet: Radiologist-level pneumonia detection on chest X-rays with deep learning (2017)
    """

    def __init__(
        self, name: str, trunk: nn.Module, n_features: int, *, last: nn.Module,
        preprocessing: Preprocessing | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.name, self.preprocessing = name, preprocessing
        self.trunk = trunk
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.n_features = n_features
        self.dense = nn.Linear(n_features, FINDINGS)
        self._last = [last]  # in a list, so that it is no second child

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, float32 (N, 14), of inputs, (N, 3, S, S), or (N, 1, S, S) of grey films."""
        if inputs.shape[1] == 1:
            inputs = inputs.expand(-1, 3, -1, -1)
        return self.dense(self.pool(self.trunk(inputs)))

    def as_classifier(self) -> nn.Module:
        """Return what gives the logits: this network itself."""
        return self

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Return what the sigmoid makes of the logits: each finding's probability, (N, 14)."""
        return self(inputs).sigmoid()

    @property
    def last_convolution(self) -> nn.Module:
        """The module whose output is the last map of features, activation included."""
        return self._last[0]


def chexnet(
    backbone_name: str = "densenet121",
    *,
    pretrained: bool = True,
    bias: str = "ones",
    labels: Any = None,
) -> CheXNet:
    """Build CheXNet, in training mode. Its outputs are logits: the loss contains the sigmoid.

    Parameters
    ----------
    backbone_name
        `"densenet121"` as in the paper, `"vgg16"`, or `"efficientnet_lite0"`, whose weights need no network.
        `"densenet121_chest"` is `chest_backbone`, trained on real films instead of photographs.
        `"small_densenet"` and `"small_vgg"` are narrow and shallow, and have no pretrained weights.
    pretrained
        As of `k2c.models.backbone`. Films whose mean is 0 and whose standard deviation is 1 are near enough to what the
        weights were trained on: while it trains, the DenseNet's first batch norm undoes any other scale.
    bias
        What the dense layer's biases are at the start. `"ones"`, as in the source: every finding begins at a
        probability of 0.73. `"prior"`: the log-odds of each finding in `labels`, so that training need not spend
        its first steps on learning that most are rare. `"zeros"`: 0.5.
    labels
        Of the training films, 1, 0 or NaN, (N, 14); for `bias="prior"`.

    Raises
    ------
    K2CError
        For an unknown name, weights that cannot be had, or priors without labels.
    """
    if backbone_name not in BACKBONES + SMALL:
        raise K2CError(unknown("backbone of CheXNet", backbone_name, BACKBONES + SMALL))
    if bias not in BIASES:
        raise K2CError(unknown("kind of bias", bias, BIASES))
    start = _biases(bias, labels)
    if backbone_name in SMALL:
        if pretrained:
            raise K2CError(f"{backbone_name} has no pretrained weights: say pretrained=False.")
        model = _small(backbone_name)
    else:
        on_films = backbone_name == "densenet121_chest" and pretrained
        network = chest_backbone() if on_films else backbone(backbone_name.removesuffix("_chest"), pretrained)
        model = CheXNet(
            network.name, network.trunk, _channels(network), last=network.last_convolution,
            preprocessing=network.preprocessing,
        )  # fmt: skip
    with torch.no_grad():
        model.dense.bias.copy_(start)
    return model.train()


def first_loss(bias: float, prevalence: float) -> float:
    """Return the cross-entropy of one finding when all logits are `bias`: what a training starts with.

    Parameters
    ----------
    bias
        The logit: 1 in the source.
    prevalence
        Share of the films with the finding.
    """
    present, absent = math.log1p(math.exp(-bias)), math.log1p(math.exp(bias))
    return prevalence * present + (1 - prevalence) * absent


def _biases(kind: str, labels: Any) -> Tensor:
    if kind != "prior":
        return torch.full((FINDINGS,), 1.0 if kind == "ones" else 0.0)
    values = np.asarray(labels if labels is not None else [], dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != FINDINGS:
        raise K2CError(
            f'bias="prior" needs the labels of the training films, (N, {FINDINGS}), such as '
            "labels=train.labels."
        )
    return log_odds(values)


def log_odds(labels: NDArray[np.floating]) -> Tensor:
    """Return the log-odds of each column of labels, 1, 0 or NaN (not known), (N, C): float32 (C,)."""
    known = (~np.isnan(labels)).sum(axis=0)
    # Half a film more of each kind keeps the log-odds of a finding that nobody has finite.
    fraction = (np.nansum(labels, axis=0) + 0.5) / (known + 1)
    return torch.from_numpy(np.log(fraction / (1 - fraction))).float()


def _small(name: str) -> CheXNet:
    import_torchvision()
    from torchvision.models import DenseNet
    from torchvision.models.vgg import make_layers

    last: nn.Module
    if name == "small_densenet":
        whole = DenseNet(growth_rate=12, block_config=(3, 4, 3), num_init_features=24)
        n_features, last = whole.classifier.in_features, nn.ReLU()
        trunk = nn.Sequential(whole.features, last)
    else:
        trunk = make_layers([8, "M", 16, 16, "M", 32, 32, "M", 64, 64])
        n_features, last = 64, trunk[-1]
        for layer in trunk:
            if isinstance(layer, nn.Conv2d):  # as VGG begins: without batch norm, smaller weights would fade
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    for module in trunk.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]  # hooks keep what comes out
    return CheXNet(name, trunk, n_features, last=last)


def _channels(network: Backbone) -> int:
    """Return the number of channels of the last map of features."""
    if network.name != "vgg16":
        return network.n_features
    return max(module.out_channels for module in network.trunk if isinstance(module, nn.Conv2d))
