"""Explanations of a network: its first filters, its feature maps, and maps of what speaks for an answer."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from k2c._system.freed_memory import keep_freed_memory
from k2c.errors import K2CError
from k2c.models.backbones import Backbone, backbone
from k2c.models.folding import folded

Map = NDArray[np.float32]

_SQUARES_AT_ONCE = 16
_IMAGES_AT_ONCE = 2  # images at a time: the gradient keeps the maps of every layer, nearly 200 MB an image


def grad_cam(network: Backbone, inputs: Tensor, target: int) -> Map:
    """Return where the last feature maps speak for a class.

    Each map is weighted by the mean of the logit's gradient over it; what is negative in their sum is left out.

    Parameters
    ----------
    network
        A backbone with a classifier.
    inputs
        float32 (N, 3, S, S), as `network.preprocessing` makes them.
    target
        Index of the class that is asked about.

    Returns
    -------
    numpy.ndarray
        float32 (N, S, S), 0 and more, enlarged from the size of the last map.

    References
    ----------
    Selvaraju et al.: Grad-CAM: Visual explanations from deep networks via gradient-based localization (2017).
    """
    from captum.attr import LayerAttribution, LayerGradCam  # late: it takes half a second to import

    explained = LayerGradCam(network.as_classifier(), network.last_convolution)
    large = []
    with keep_freed_memory(), torch.enable_grad():
        for part in inputs.split(_IMAGES_AT_ONCE):
            # A copy: the network may be frozen, and then the gradient needs an input that asks for it.
            asked = part.detach().clone().requires_grad_()
            small = explained.attribute(asked, target=target, relu_attributions=True).detach()
            large.append(LayerAttribution.interpolate(small, tuple(part.shape[2:]), "bilinear")[:, 0])
    return torch.cat(large).cpu().numpy()


def occlusion(
    network: Backbone,
    inputs: Tensor,
    target: int | Sequence[int],
    *,
    window: int = 48,
    stride: int = 16,
) -> Map:
    """Return by how much the logit of a class falls when a grey square covers a place.

    Parameters
    ----------
    network
        A backbone with a classifier.
    inputs
        float32 (1, 3, S, S).
    target
        Index of the class that is asked about; or several, which cost no more than one.
    window, stride
        Side of the square, and how far it moves on, in pixels.

    Returns
    -------
    numpy.ndarray
        float32 (S, S), or (targets, S, S) for several. Each pixel has the mean over all squares that covered it;
        where covering *helps* the class it is negative.

    Raises
    ------
    K2CError
        When the square is larger than the input, or moves by more than its side (and so leaves gaps).

    References
    ----------
    Zeiler, Fergus: Visualizing and understanding convolutional networks (2014).
    """
    side = min(inputs.shape[2:])
    if not 0 < window <= side or not 0 < stride <= window:
        raise K2CError(
            f"A square of {window} pixels that moves by {stride} does not cover an input of {side} pixels. "
            "Take a window up to the input's side, and a stride up to the window."
        )
    classifier, targets = folded(network.as_classifier(), inputs), np.atleast_1d(target)
    places = [(slice(y, y + window), slice(x, x + window)) for y, x in _corners(inputs, window, stride)]
    lost, covers = np.zeros((len(targets), *inputs.shape[2:]), np.float32), np.zeros(inputs.shape[2:])
    with torch.inference_mode():
        whole = classifier(inputs)[:, targets]
        for start in range(0, len(places), _SQUARES_AT_ONCE):
            some = places[start : start + _SQUARES_AT_ONCE]
            covered = inputs.repeat(len(some), 1, 1, 1)
            for image, place in zip(covered, some, strict=True):
                image[:, *place] = 0  # of standardised inputs: the mean grey
            for place, fall in zip(
                some, (whole - classifier(covered)[:, targets]).cpu().numpy(), strict=True
            ):
                lost[:, *place] += fall[:, None, None]
                covers[place] += 1
    lost /= covers
    return lost if isinstance(target, Sequence) else lost[0]


def _corners(inputs: Tensor, window: int, stride: int) -> list[tuple[int, int]]:
    """Return the upper left corners of the squares; the last of a row may stand over the edge."""
    down, across = (range(0, max(side - window + stride, 1), stride) for side in inputs.shape[2:])
    return [(y, x) for y in down for x in across]


def with_random_weights(network: Backbone, seed: int = 0) -> Backbone:
    """Return the same network with random weights: a map that looks the same for it explains nothing.

    The global generator of torch is left as it was.

    References
    ----------
    Adebayo, Gilmer, Muelly, Goodfellow, Hardt, Kim: Sanity checks for saliency maps (2018).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return backbone(network.name, pretrained=False).to(next(network.parameters()).device)


def fast_gradient_sign(network: Backbone, inputs: Tensor, target: int, levels: float) -> Tensor:
    """Return the inputs, each pixel changed by one small amount so that a class becomes less probable.

    Parameters
    ----------
    network
        A backbone with a classifier.
    inputs
        float32 (N, 3, S, S), as `network.preprocessing` makes them.
    target
        Index of the class.
    levels
        The change of each colour of each pixel, in grey levels of 0 to 255. Below 0.5 an image file cannot hold it.

    Returns
    -------
    torch.Tensor
        float32 (N, 3, S, S); it may leave the range of an image by `levels`.

    References
    ----------
    Goodfellow, Shlens, Szegedy: Explaining and harnessing adversarial examples (2015).
    """
    step = levels / 255 / inputs.new_tensor(network.preprocessing.std).view(1, 3, 1, 1)
    with torch.enable_grad():
        asked = inputs.detach().clone().requires_grad_()
        targets = torch.full((len(inputs),), target, device=inputs.device)
        loss = nn.functional.cross_entropy(network.logits(asked), targets)
        (gradient,) = torch.autograd.grad(loss, asked)
    return inputs + step * gradient.sign()


def share_inside(explanation: Map, mask: NDArray[np.bool_]) -> float:
    """Return the fraction of a map's positive mass inside a mask, to compare with the mask's fraction of the area.

    Parameters
    ----------
    explanation
        (S, S), as `grad_cam` and `occlusion` return (for one image).
    mask
        bool (S, S).

    Returns
    -------
    float
        From 0 to 1. A map without positive mass points nowhere, and gets the mask's fraction of the area.

    Raises
    ------
    K2CError
        When the two do not have one shape.
    """
    if explanation.shape != mask.shape:
        raise K2CError(
            f"The map has shape {explanation.shape} and the mask {mask.shape}; they must be equal."
        )
    positive = np.clip(explanation, 0, None)
    total = positive.sum()
    return float(positive[mask].sum() / total) if total > 0 else float(mask.mean())


def first_filters(network: Backbone) -> Map:
    """Return the weights of the first convolution as images, float32 (N, h, w, 3).

    Each filter is scaled by its largest weight to 0..1, grey (0.5) being 0. Those with strong weights come first.
    """
    first = next(module for module in network.trunk.modules() if isinstance(module, nn.Conv2d))
    weights = first.weight.detach().cpu().permute(0, 2, 3, 1).numpy()
    strongest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    order = np.argsort(-strongest.ravel())
    return (0.5 + 0.5 * weights / np.maximum(strongest, 1e-12))[order]


def feature_maps(network: Backbone, inputs: Tensor, layers: Sequence[str]) -> dict[str, Map]:
    """Return what comes out of parts of the trunk for one image.

    Parameters
    ----------
    network
        A backbone.
    inputs
        float32 (1, 3, S, S).
    layers
        Names in `network.trunk`, such as `"stem"` or `"block5"`.

    Returns
    -------
    dict
        float32 (C, h, w) by name.

    Raises
    ------
    K2CError
        When the trunk has no such part; the sentence lists what it has.
    """
    parts = dict(network.trunk.named_modules())
    missing = [name for name in layers if name not in parts]
    if missing:
        known = ", ".join(name for name, _ in network.trunk.named_children())
        raise K2CError(f"The trunk of {network.name} has no part {missing[0]!r}. It has: {known}.")
    found: dict[str, Map] = {}

    def keep(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(module: nn.Module, args: object, output: Tensor) -> None:
            found[name] = output[0].detach().cpu().numpy()

        return parts[name].register_forward_hook(hook)

    hooks = [keep(name) for name in layers]
    try:
        with torch.inference_mode():
            network.feature_map(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found
