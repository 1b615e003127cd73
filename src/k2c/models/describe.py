"""What a network costs, layer by layer."""

from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from k2c.errors import K2CError


def layer_table(model: nn.Module, input_shape: tuple[int, ...]) -> pd.DataFrame:
    """Return a table of a network's layers, in the order in which one example passes them.

    Parameters
    ----------
    model
        Any network; each of its modules without children is a layer.
    input_shape
        The shape of one example, without the batch: `(1, 28, 28)`.

    Returns
    -------
    pandas.DataFrame
        Indexed by `layer`: `kind` (the class), `output_shape` (without the batch), `parameters` (weights and
        biases that are trained), `multiply_adds` (of convolutions and matrix products, for one example; half
        the floating-point operations that torch counts).

    Raises
    ------
    K2CError
        When the network cannot read an input of that shape.
    """
    rows: list[dict[str, Any]] = []
    counter = FlopCounterMode(display=False)
    names = {module: name for name, module in model.named_modules() if not list(module.children())}
    before: dict[nn.Module, int] = {}

    def enter(module: nn.Module, args: object) -> None:
        before[module] = counter.get_total_flops()

    def leave(module: nn.Module, args: object, output: Tensor) -> None:
        flops = counter.get_total_flops() - before[module]
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        row = {"layer": names[module] or type(module).__name__, "kind": type(module).__name__}
        row |= {"output_shape": tuple(output.shape[1:]), "parameters": parameters}
        rows.append(row | {"multiply_adds": flops // 2})

    hooks = [module.register_forward_pre_hook(enter) for module in names]
    hooks += [module.register_forward_hook(leave) for module in names]
    try:
        _run_once(model, input_shape, counter)
    finally:
        for hook in hooks:
            hook.remove()
    return pd.DataFrame(rows).set_index("layer")


def _run_once(model: nn.Module, input_shape: tuple[int, ...], counter: FlopCounterMode) -> None:
    example = next(model.parameters(), torch.empty(0)).new_zeros((1, *input_shape))
    training = model.training
    model.eval()
    try:
        with counter, torch.no_grad():
            model(example)
    except (RuntimeError, ValueError) as error:
        raise K2CError(
            f"{type(model).__name__} cannot read an input of shape {tuple(input_shape)}. Give the shape of "
            "one example without the batch, for example (1, 28, 28)."
        ) from error
    finally:
        model.train(training)
