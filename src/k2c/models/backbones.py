"""Networks trained on ImageNet, and one on chest films, cut where the pooled features come out."""

import copy
import hashlib
import os
from collections import OrderedDict
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from k2c.errors import K2CError, unknown
from k2c.models.architectures import Parts, published_url
from k2c.models.catalogue import CHEST, CHEST_SHA256, CHEST_URL, NETWORKS, OFFLINE, About
from k2c.models.weights import download_weights, installed_weights, load_weights


class MeanAndMax(nn.Module):
    """The mean over the places of each map, then the maximum: (N, C, h, w) becomes (N, 2 C)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Return float32 (N, 2 C)."""
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


POOLINGS: dict[str, Callable[[], nn.Sequential]] = {
    "mean": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "max": lambda: nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
    "mean+max": lambda: nn.Sequential(MeanAndMax()),
}


class Backbone(nn.Module):
    """A convolutional network for images, up to its pooled features.

    Attributes
    ----------
    name
        As `backbone` knows it.
    trunk
        The convolutional part, an `nn.Sequential` from image to the last feature map.
    pool
        From the feature map to the features: the mean over places (in VGG, the hidden fully connected layers).
    classifier
        From features to the logits of the 1,000 ImageNet classes; None for weights that came without.
    n_features
        The number of features.
    preprocessing
        How images become inputs.
    last_convolution
        The module whose output is the last map of features that still knows places: where Grad-CAM looks.
    licence, citation
        Of the weights, and the paper of the network.
    """

    def __init__(self, name: str, parts: Parts, about: About | None = None) -> None:
        super().__init__()
        about = about or NETWORKS[name]
        self.name, self.licence, self.citation = name, about.licence, about.citation
        self.n_features, self.preprocessing = about.n_features, about.preprocessing
        self.trunk, self.pool = parts.trunk, parts.pool
        self.classifier: nn.Module | None = parts.classifier
        self._last = parts.last
        for module in self.modules():
            # Modules that overwrite their input would spoil the maps that hooks keep.
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the pooled features, float32 (N, n_features), of inputs, float32 (N, 3, S, S).

        Raises
        ------
        K2CError
            When the inputs are no such batch.
        """
        return self.pool(self.feature_map(inputs))

    def feature_map(self, inputs: Tensor) -> Tensor:
        """Return the last feature map, float32 (N, C, h, w), of inputs, float32 (N, 3, S, S)."""
        if inputs.ndim != 4 or inputs.shape[1] != 3 or not inputs.is_floating_point():
            raise K2CError(
                f"{self.name} reads floating-point inputs of shape (N, 3, S, S), and got {inputs.dtype} "
                f"{tuple(inputs.shape)}. Make them with backbone.preprocessing(images)."
            )
        return self.trunk(inputs)

    def logits(self, inputs: Tensor) -> Tensor:
        """Return the logits of the 1,000 ImageNet classes, float32 (N, 1000).

        Raises
        ------
        K2CError
            When the weights came without a classifier.
        """
        return self._classifier()(self(inputs))

    def as_classifier(self) -> nn.Sequential:
        """Return a network whose output is the logits. It shares trunk, pool and classifier with this one."""
        parts = OrderedDict(trunk=self.trunk, pool=self.pool, classifier=self._classifier())
        return nn.Sequential(parts).train(self.training)

    def cut(self, layer: str, pooling: str = "mean") -> "Backbone":
        """Return a network that ends earlier, or pools otherwise. It shares its weights with this one.

        The last maps are the furthest from an image of another kind, and their mean forgets a lesion that only
        one place of it shows. Earlier maps and their maximum may tell more.

        Parameters
        ----------
        layer
            The part of `trunk` whose maps are pooled: a name in it, such as `"block16"`.
        pooling
            `"mean"` or `"max"` over the places of each map, or `"mean+max"`, one after the other.

        Raises
        ------
        K2CError
            For an unknown layer or pooling.
        """
        parts = dict(self.trunk.named_children())
        if layer not in parts:
            raise K2CError(unknown(f"part of {self.name}'s trunk", layer, parts))
        if pooling not in POOLINGS:
            raise K2CError(unknown("pooling", pooling, POOLINGS))
        kept = list(parts)[: list(parts).index(layer) + 1]
        shorter = copy.copy(self)
        shorter._modules = dict(self._modules)  # not the dictionary of the other network
        shorter.name = f"{self.name}-{layer}-{pooling}"
        shorter.trunk = nn.Sequential(OrderedDict((name, parts[name]) for name in kept))
        shorter.pool, shorter.classifier, shorter._last = POOLINGS[pooling](), None, layer
        weight = next(self.parameters())
        with torch.inference_mode():
            shorter.n_features = shorter.eval()(weight.new_zeros(1, 3, 96, 96)).shape[1]
        return shorter.train(self.training)

    @property
    def last_convolution(self) -> nn.Module:
        """The module whose output is the last map of features, activation included."""
        return self.trunk.get_submodule(self._last)

    def weights_hash(self) -> str:
        """Return a sha256 of the weights that the features depend on: the same for the same features."""
        digest = hashlib.sha256(self.name.encode())
        parts = {**self.trunk.state_dict(prefix="trunk."), **self.pool.state_dict(prefix="pool.")}
        for name, tensor in parts.items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def _classifier(self) -> nn.Module:
        if self.classifier is None:
            raise K2CError(
                f"The weights of this {self.name} came without a classifier, so it gives features and no "
                f"logits. Take the published weights with backbone({self.name!r})."
            )
        return self.classifier


def backbone(
    name: str = OFFLINE, pretrained: bool = True, weights: str | os.PathLike[str] | None = None
) -> Backbone:
    """Return a network of the table `backbone_table()`, in evaluation mode.

    Parameters
    ----------
    name
        `"efficientnet_lite0"` needs no network: its weights are installed with the kit. The others are
        downloaded once, checked, and kept in the cache.
    pretrained
        Whether to load the weights that were trained on ImageNet; random ones otherwise.
    weights
        A local file with a state dict of this network, in the names of its publisher or as
        `torch.save(backbone.state_dict(), file)` wrote it. Nothing is downloaded then.

    Raises
    ------
    K2CError
        For an unknown name, weights that cannot be had (the sentence names the one that works offline), or a
        file that does not fit.
    """
    if name not in NETWORKS:
        raise K2CError(unknown("backbone", name, NETWORKS))
    about = NETWORKS[name]
    if weights is None and not pretrained:
        return Backbone(name, about.build(True)).eval()
    if weights is None:
        weights = installed_weights() if about.offline else download_weights(name, published_url(name))
    with torch.random.fork_rng(devices=[]):  # the numbers drawn here are overwritten: as if they had not been
        parts = about.build(False)
    network = Backbone(name, parts)
    if not load_weights(network, parts, weights):
        network.classifier = None
    return network.eval()


def chest_backbone(weights: str | os.PathLike[str] | None = None) -> Backbone:
    """Return a DenseNet-121 that was trained on real chest films, of seven collections.

    Its features were learnt from films, not from photographs. They are those of ChestX-ray14 (with two sets of labels),
    PadChest, CheXpert, MIMIC-CXR, Open-i and RSNA's challenge: a test on films of one of these is none.

    Parameters
    ----------
    weights
        A local file: torchxrayvision's, or a state dict of this network. When None, torchxrayvision's file (28 MB) is
        downloaded once, compared with its SHA-256, and kept in the cache.

    Returns
    -------
    Backbone
        Named `densenet121_chest`, in evaluation mode. It reads inputs of three equal channels, as its
        `preprocessing` makes them of grey films, best at 224 pixels. `logits` are of the 18 `k2c.models.CHEST_CLASSES`.

    Raises
    ------
    WeightsError
        When the file cannot be had, is damaged, or holds something else.

    Notes
    -----
    The published file is a pickled module, which could run any code where it is loaded. It is read by
    `k2c.models.inert`, which makes tensors of it and runs nothing.

    References
    ----------
    Cohen, Hashir, Brooks, Bertrand: On the limits of cross-domain generalization in automated X-ray prediction (2020).
    Cohen, Viviano, Bertin, ...: TorchXRayVision: A library of chest X-ray datasets and models (2022).
    """
    name = "densenet121_chest"
    if weights is None:
        weights = download_weights(name, CHEST_URL, f"{name}-{CHEST_SHA256}.pt")
    with torch.random.fork_rng(devices=[]):
        parts = CHEST.build(False)
    network = Backbone(name, parts, CHEST)
    if not load_weights(network, parts, weights, whole_module=True):
        network.classifier = None
    return network.eval()


def backbone_table() -> pd.DataFrame:
    """Return a table of the networks that there are, one row per network.

    Returns
    -------
    pandas.DataFrame
        Indexed by `name`: `parameters` (classifier included), `features`, `input` (side in pixels), `top1`
        (accuracy on ImageNet's validation set, as published), `licence`, `source`, `offline` (works without a
        network), `citation`.
    """
    rows = [
        {
            "name": name,
            "parameters": about.parameters,
            "features": about.n_features,
            "input": about.preprocessing.size,
            "top1": about.top1,
            "licence": about.licence,
            "source": about.source,
            "offline": about.offline,
            "citation": about.citation,
        }
        for name, about in NETWORKS.items()
    ]
    return pd.DataFrame(rows).set_index("name")
