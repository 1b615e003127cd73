"""The same network with less to compute: batch normalisation folded into the convolution before it."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(network: nn.Module, example: Tensor) -> nn.Module:
    """Return a copy for evaluation, channels-last, without the normalisations that follow a convolution.

    In evaluation a batch normalisation scales and shifts each channel by fixed numbers, and so does changing
    the weights and the bias of the convolution that made the channel. The results differ by rounding.

    Parameters
    ----------
    network
        A convolutional network in which each module is called once. It stays as it is.
    example
        An input, to see which normalisation reads which convolution's output: float32 (N, C, H, W).
    """
    network = copy.deepcopy(network).eval()
    names = {module: name for name, module in network.named_modules()}
    for convolution, norm in _pairs(network, example):
        network.set_submodule(names[convolution], fuse_conv_bn_eval(convolution, norm))
        network.set_submodule(names[norm], nn.Identity())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _pairs(network: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    outputs: dict[int, tuple[nn.Conv2d, Tensor]] = {}  # with the tensor, so that no other gets its id
    pairs = []

    def after_convolution(module: nn.Conv2d, args: Any, output: Tensor) -> None:
        outputs[id(output)] = module, output

    def before_norm(module: nn.BatchNorm2d, args: tuple[Tensor]) -> None:
        if id(args[0]) in outputs:
            pairs.append((outputs[id(args[0])][0], module))

    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [module.register_forward_hook(after_convolution) for module in convolutions]
    hooks += [module.register_forward_pre_hook(before_norm) for module in norms]
    try:
        with torch.no_grad():
            network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return pairs
