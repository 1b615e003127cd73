"""LeNet on the operations of a device: forward, and a step of training."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from k2c.errors import K2CError
from k2c.kernels.base import Ops
from k2c.kernels.buffers import Buffer

LAYERS = ("conv1", "conv2", "linear1", "linear2")
Params = dict[str, Buffer]


def put_parameters(ops: Ops, model: Any) -> Params:
    """Copy the parameters of a `k2c.models.LeNet`, or its state dict, to a device.

    Returns
    -------
    dict
        `conv1.weight`, `conv1.bias` ... `linear2.bias`, the names of the torch module.

    Raises
    ------
    K2CError
        When the parameters are not LeNet's.
    """
    state: Mapping[str, Any] = model.state_dict() if hasattr(model, "state_dict") else model
    wanted = [f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias")]
    if sorted(state) != sorted(wanted):
        raise K2CError(f"LeNet has the parameters {', '.join(wanted)}; these are {', '.join(state)}.")
    return {name: ops.put(state[name]) for name in wanted}


def zero_velocity(ops: Ops, params: Params) -> Params:
    """Return a velocity of zero for every parameter."""
    return {name: ops.put(np.zeros(buffer.shape, np.float32)) for name, buffer in params.items()}


def lenet_forward(ops: Ops, params: Params, x: Buffer, variant: str = "tuned") -> Buffer:
    """Return the logits (N, 10) of images x (N, 1, 28, 28).

    Parameters
    ----------
    ops
        What `kernels.open` returned.
    params
        What `put_parameters` returned.
    x
        Images on the device.
    variant
        `tuned`, or `textbook` for the slow kernels.
    """
    return _forward(ops, params, x, variant)["logits"]


def lenet_gradients(
    ops: Ops, params: Params, x: Buffer, targets: Buffer, variant: str = "tuned"
) -> tuple[Buffer, Params]:
    """Return the loss of each image (N,), and the gradient of their mean for every parameter.

    `targets` are class numbers, int32 (N,).
    """
    at = _forward(ops, params, x, variant)
    matmul = _matmul(variant)
    losses, d = ops.cross_entropy(at["logits"], targets)
    grads: Params = {}

    def linear(name: str, seen: Buffer, d: Buffer) -> Buffer:
        dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = ops.linear_backward(
            seen, params[f"{name}.weight"], d, matmul
        )
        return dx

    def convolution(name: str, seen: Buffer, d: Buffer, need_dx: bool) -> Buffer | None:
        dx, grads[f"{name}.weight"], grads[f"{name}.bias"] = ops.conv2d_backward(
            seen, params[f"{name}.weight"], d, variant, need_dx
        )
        return dx

    d = linear("linear2", at["tanh3"], d)
    d = linear("linear1", at["flat"], ops.tanh_backward(at["tanh3"], d))
    d = ops.maxpool2_backward(at["tanh2"], d.reshape(*at["pool2"].shape))
    before = convolution("conv2", at["pool1"], ops.tanh_backward(at["tanh2"], d), need_dx=True)
    assert before is not None
    d = ops.maxpool2_backward(at["tanh1"], before)
    convolution("conv1", x, ops.tanh_backward(at["tanh1"], d), need_dx=False)
    return losses, grads


def lenet_training_step(
    ops: Ops,
    params: Params,
    velocity: Params,
    x: Buffer,
    targets: Buffer,
    learning_rate: float,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    variant: str = "tuned",
) -> Buffer:
    """Take one step of gradient descent in place, and return the losses (N,) before it, on the device.

    Their mean is what torch's `cross_entropy` returns: `ops.get(losses).mean()`.
    """
    losses, grads = lenet_gradients(ops, params, x, targets, variant)
    for name, parameter in params.items():
        ops.sgd(parameter, velocity[name], grads[name], learning_rate, momentum, weight_decay)
    return losses


def _forward(ops: Ops, params: Params, x: Buffer, variant: str) -> dict[str, Buffer]:
    """Return every activation by the name of its layer."""
    matmul = _matmul(variant)
    at = {"tanh1": _conv_tanh(ops, params, "conv1", x, variant)}
    at["pool1"] = ops.maxpool2(at["tanh1"])
    at["tanh2"] = _conv_tanh(ops, params, "conv2", at["pool1"], variant)
    at["pool2"] = ops.maxpool2(at["tanh2"])
    at["flat"] = at["pool2"].reshape(x.shape[0], params["linear1.weight"].shape[1])
    hidden = ops.linear(at["flat"], params["linear1.weight"], params["linear1.bias"], matmul)
    at["tanh3"] = ops.tanh(hidden, out=hidden)
    at["logits"] = ops.linear(at["tanh3"], params["linear2.weight"], params["linear2.bias"], matmul)
    return at


def _conv_tanh(ops: Ops, params: Params, layer: str, x: Buffer, variant: str) -> Buffer:
    y = ops.conv2d(x, params[f"{layer}.weight"], params[f"{layer}.bias"], variant)
    return ops.tanh(y, out=y)


def _matmul(variant: str) -> str:
    return "registers" if variant == "tuned" else "textbook"
