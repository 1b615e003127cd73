"""How each published network falls into trunk, pool and classifier.

`draw` says whether the random start of training is wanted; where it is slow, it is left out for a network that
gets other weights at once.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from k2c._system.torchvision_compat import import_torchvision


@dataclass(frozen=True)
class Parts:
    """A network in three parts, which share their weights with the published one.

    Attributes
    ----------
    trunk, pool, classifier
        From images to the last feature map, from there to the pooled features, and to the logits.
    last
        Name in `trunk` of the module whose output is the last map of features.
    original
        The network as published: its state dict has the published names.
    classifier_name
        Name of the classifier in `original`.
    """

    trunk: nn.Sequential
    pool: nn.Sequential
    classifier: nn.Module
    last: str
    original: nn.Module
    classifier_name: str = "fc"


def efficientnet_lite0(draw: bool = True) -> Parts:
    """Build EfficientNet-Lite0; its stochastic depth, which only training from scratch needs, is left out."""
    net = EfficientNet.from_name("efficientnet-lite0")
    trunk = nn.Sequential(
        OrderedDict(
            stem=nn.Sequential(OrderedDict(conv=net._conv_stem, norm=net._bn0, relu=nn.ReLU6())),
            **{f"block{number}": block for number, block in enumerate(net._blocks, start=1)},
            head=nn.Sequential(OrderedDict(conv=net._conv_head, norm=net._bn1, relu=nn.ReLU6())),
        )
    )
    return Parts(trunk, _mean_over_places(), net._fc, "head", net, "_fc")


def googlenet(draw: bool = True) -> Parts:
    """Build GoogLeNet, the first Inception, without its two auxiliary heads."""
    net = _published("googlenet", aux_logits=False, init_weights=draw)
    return Parts(_children(net, "avgpool", "dropout", "fc"), _mean_over_places(), net.fc, "inception5b", net)


def inception_v3(draw: bool = True) -> Parts:
    """Build Inception v3 without its auxiliary head."""
    net = _published("inception_v3", aux_logits=False, init_weights=draw)
    return Parts(_children(net, "avgpool", "dropout", "fc"), _mean_over_places(), net.fc, "Mixed_7c", net)


def resnet50(draw: bool = True) -> Parts:
    """Build ResNet-50."""
    net = _published("resnet50")
    return Parts(_children(net, "avgpool", "fc"), _mean_over_places(), net.fc, "layer4", net)


def densenet121(draw: bool = True) -> Parts:
    """Build DenseNet-121, the network of CheXNet."""
    net = _published("densenet121")
    trunk = nn.Sequential(OrderedDict(**dict(net.features.named_children()), relu5=nn.ReLU()))
    return Parts(trunk, _mean_over_places(), net.classifier, "relu5", net, "classifier")


def densenet121_chest(draw: bool = True) -> Parts:
    """Build torchxrayvision's DenseNet-121: one channel from -1024 to 1024, and 18 classes."""
    net = _published("densenet121", num_classes=18)
    first = net.features.conv0
    net.features.conv0 = nn.Conv2d(1, first.out_channels, 7, stride=2, padding=3, bias=False)
    trunk = nn.Sequential(OrderedDict(grey=_Grey(), **dict(net.features.named_children()), relu5=nn.ReLU()))
    return Parts(trunk, _mean_over_places(), net.classifier, "relu5", net, "classifier")


class _Grey(nn.Module):
    """From inputs between -1 and 1, (N, 3, S, S), to what torchxrayvision's networks read, (N, 1, S, S)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean of the channels, between -1024 and 1024."""
        return 1024 * inputs.mean(dim=1, keepdim=True)


def vgg16(draw: bool = True) -> Parts:
    """Build VGG-16; its features are those of the second hidden layer, as is usual."""
    net = _published("vgg16", init_weights=draw)
    pool = nn.Sequential(net.avgpool, nn.Flatten(), *net.classifier[:-1])
    return Parts(net.features, pool, net.classifier[-1], "29", net, "classifier.6")


def as_named_now(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a published state dict with today's names of modules, without auxiliary heads."""
    # DenseNet's file is older than the rule that a module's name holds no dot.
    renamed = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2", name): v for name, v in state.items()
    }
    return {name: v for name, v in renamed.items() if not name.startswith(("aux1.", "aux2.", "AuxLogits."))}


def published_url(name: str) -> str:
    """Return the address of torchvision's best weights of a network; the file's name ends in its hash."""
    import_torchvision()
    from torchvision.models import get_model_weights

    return str(get_model_weights(name).DEFAULT.url)


def _published(name: str, **options: Any) -> Any:
    import_torchvision()
    from torchvision import models

    return getattr(models, name)(weights=None, **options)


def _children(net: nn.Module, *but: str) -> nn.Sequential:
    """Return the modules of a network that computes them in the order of their definition."""
    return nn.Sequential(OrderedDict((name, part) for name, part in net.named_children() if name not in but))


def _mean_over_places() -> nn.Sequential:
    return nn.Sequential(OrderedDict(mean=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()))
