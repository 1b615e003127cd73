"""CheXNet: a network trained on ImageNet, its features averaged over the film, and one logit a finding."""

import math
import os
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from k2c.errors import K2CError, unknown
from k2c.models.backbones import Backbone, backbone

BACKBONES = ("densenet121", "vgg16", "efficientnet_lite0")
BIASES = ("ones", "prior", "zeros")
FINDINGS = 14


class CheXNet(nn.Module):
    """A backbone without its classifier, the mean over places, and one dense layer.

    Parameters
    ----------
    network
        Any of `k2c.models.backbone`. Its trunk is used; what follows the last map of features is not.
    n_findings
        The number of logits.

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

    def __init__(self, network: Backbone, n_findings: int = FINDINGS) -> None:
        super().__init__()
        self.name, self.preprocessing = network.name, network.preprocessing
        self.trunk = network.trunk
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.n_features = _channels(network)
        self.dense = nn.Linear(self.n_features, n_findings)
        self._last = network.last_convolution

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, float32 (N, n_findings), of inputs, float32 (N, 3, S, S)."""
        return self.dense(self.pool(self.trunk(inputs)))

    def probabilities(self, inputs: Tensor) -> Tensor:
        """Return what the sigmoid makes of the logits: each finding's probability, (N, n_findings)."""
        return self(inputs).sigmoid()

    @property
    def last_convolution(self) -> nn.Module:
        """The module whose output is the last map of features, activation included."""
        return self._last


def chexnet(
    backbone_name: str = "densenet121",
    *,
    pretrained: bool = True,
    bias: str = "ones",
    labels: Any = None,
    n_findings: int = FINDINGS,
    weights: str | os.PathLike[str] | None = None,
) -> CheXNet:
    """Build CheXNet, in training mode. Its outputs are logits: the loss contains the sigmoid.

    Parameters
    ----------
    backbone_name
        `"densenet121"` as in the paper, `"vgg16"`, or `"efficientnet_lite0"`, whose weights need no network.
    pretrained, weights
        As of `k2c.models.backbone`.
    bias
        What the dense layer's biases are at the start. `"ones"`, as in the source: every finding begins at a
        probability of 0.73. `"prior"`: the log-odds of each finding in `labels`, so that training need not spend
        its first steps on learning that most are rare. `"zeros"`: 0.5.
    labels
        Of the training films, 1, 0 or NaN, (N, n_findings); for `bias="prior"`.
    n_findings
        The number of logits.

    Raises
    ------
    K2CError
        For an unknown name, weights that cannot be had, or priors without labels.
    """
    if backbone_name not in BACKBONES:
        raise K2CError(unknown("backbone of CheXNet", backbone_name, BACKBONES))
    if bias not in BIASES:
        raise K2CError(unknown("kind of bias", bias, BIASES))
    start = _biases(bias, labels, n_findings)
    model = CheXNet(backbone(backbone_name, pretrained, weights), n_findings)
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


def _biases(kind: str, labels: Any, n_findings: int) -> Tensor:
    if kind != "prior":
        return torch.full((n_findings,), 1.0 if kind == "ones" else 0.0)
    values = np.asarray(labels if labels is not None else [], dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != n_findings:
        raise K2CError(
            f'bias="prior" needs the labels of the training films, (N, {n_findings}), such as '
            "labels=train.labels."
        )
    known = (~np.isnan(values)).sum(axis=0)
    # Half a film more of each kind keeps the log-odds of a finding that nobody has finite.
    share = (np.nansum(values, axis=0) + 0.5) / (known + 1)
    return torch.from_numpy(np.log(share / (1 - share))).float()


def _channels(network: Backbone) -> int:
    """Return the number of channels of the last map of features."""
    if network.name != "vgg16":
        return network.n_features
    return max(module.out_channels for module in network.trunk if isinstance(module, nn.Conv2d))
