"""From images to probabilities and maps of where, in one graph: what a web page, a sheet and an ONNX file compute."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from k2c.errors import K2CError
from k2c.models.folding import folded
from k2c.models.own_classifier import OwnClassifier

MOST_MAPS = 5  # classes with a map, the most probable first


class Answers(NamedTuple):
    """What `AnswerGraph` returns.

    Attributes
    ----------
    logits, probabilities
        float32 (N, classes).
    top
        int64 (N, k): the k most probable classes, the first first; k is 5, or all where there are fewer.
    maps
        float32 (N, k, h, w): where the last maps of the network speak for each of these, 0 and more.
    """

    logits: Tensor
    probabilities: Tensor
    top: Tensor
    maps: Tensor


class AnswerGraph(nn.Module):
    """A classifier from images to `Answers`, its normalisations folded away.

    Where a network ends in a mean over places and a linear layer, the logit is a sum over places, and the class
    activation map shows its terms. Without its negative part it is the map of Grad-CAM. A hidden layer counts as the
    linear one that it is near the image; without the mean, each place has weights of its own.

    Parameters
    ----------
    own
        The classifier. It stays as it is.
    maps
        Whether maps are wanted. Without, they are empty, (N, k, 0, 0).

    Raises
    ------
    K2CError
        When maps are wanted and the network ends otherwise, as VGG does.

    References
    ----------
    Zhou, Khosla, Lapedriza, Oliva, Torralba: Learning deep features for discriminative localization (2016).
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, own: OwnClassifier, maps: bool = True) -> None:
        super().__init__()
        network = own.network
        kinds = [type(part) for part in network.pool.modules() if not isinstance(part, nn.Sequential)]
        if maps and kinds not in ([nn.AdaptiveAvgPool2d, nn.Flatten], [nn.Flatten]):
            raise K2CError(
                f"{network.name} does not end in a mean over places, and so has no class activation map. Take a "
                "network that does: efficientnet_lite0, googlenet, inception_v3, densenet121 or resnet50."
            )
        weight = next(network.parameters())
        side = network.preprocessing.size
        parts = folded(network.as_classifier(), weight.new_zeros(1, 3, side, side))
        self.trunk, self.pool = parts.get_submodule("trunk"), parts.get_submodule("pool")
        self.layer, self.by_place = parts.get_submodule("classifier"), kinds == [nn.Flatten]
        self.multi_label, self.k, self.maps = own.multi_label, min(MOST_MAPS, len(own.classes)), maps
        mean, std = (weight.new_tensor(v) for v in (network.preprocessing.mean, network.preprocessing.std))
        self.register_buffer("scale", (1 / (255 * std)).view(1, 3, 1, 1))
        self.register_buffer("shift", (-mean / std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Answers:
        """Return the answers for images, uint8 (N, S, S, 3)."""
        maps = self.trunk(images.permute(0, 3, 1, 2).to(self.scale.dtype) * self.scale + self.shift)
        features = self.pool(maps)
        logits = self.layer(features)
        probabilities = logits.sigmoid() if self.multi_label else logits.softmax(dim=1)
        top = torch.topk(probabilities, self.k, dim=1).indices
        if not self.maps:
            return Answers(logits, probabilities, top, maps.new_empty(len(images), self.k, 0, 0))
        slopes = self._slopes(features, top)
        if self.by_place:
            speaks = (slopes.unflatten(2, maps.shape[1:]) * maps.unsqueeze(1)).sum(dim=2)
        else:
            speaks = torch.einsum("nkc,nchw->nkhw", slopes, maps)
        return Answers(logits, probabilities, top, speaks.relu())

    def _slopes(self, features: Tensor, top: Tensor) -> Tensor:
        """Return how steeply the logits of `top` rise with each feature, float32 (N, k, n_features)."""
        if isinstance(self.layer, nn.Linear):
            return self.layer.weight[top]
        first, bend, last = (part for part in self.layer.children() if not isinstance(part, nn.Flatten))
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        inside = first(features)
        slope = 1 - inside.tanh().square() if isinstance(bend, nn.Tanh) else (inside > 0).to(inside.dtype)
        return (last.weight[top] * slope.unsqueeze(1)) @ first.weight
