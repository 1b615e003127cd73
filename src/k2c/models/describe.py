"""Parameters and operations of a network, layer by layer."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from k2c.errors import K2CError


def layer_table(model: nn.Module, input_shape: tuple[int, ...]) -> pd.DataFrame:
    """Return a table of a network's layers, in the order in which one example passes them.

    Parameters
    ----------
    model
        Any network; each of its modules that has weights of its own, or no children, is a layer.
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
    names = {module: name for name, module in _layers(model)}
    before: dict[nn.Module, int] = {}

    def enter(module: nn.Module, args: object) -> None:
        before[module] = counter.get_total_flops()

    def leave(module: nn.Module, args: object, output: Tensor) -> None:
        flops = counter.get_total_flops() - before[module]
        parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
        kind = type(module).__name__
        row: dict[str, Any] = {"layer": names[module] or kind, "kind": kind}
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


def _layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers below a module; what a layer with weights has inside, such as its padding, is part of it."""
    children = list(module.named_children())
    if not children or next(module.parameters(recurse=False), None) is not None:
        yield name, module
        return
    for child_name, child in children:
        yield from _layers(child, f"{name}.{child_name}" if name else child_name)


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


def block_table(model: nn.Module, input_shape: tuple[int, ...]) -> pd.DataFrame:
    """Return a table of a network's blocks, for networks with too many layers to read.

    Parameters
    ----------
    model
        Any network. Its children are its blocks; a child `trunk` stands for its own children.
    input_shape
        The shape of one example, without the batch.

    Returns
    -------
    pandas.DataFrame
        Indexed by `block`: `output_shape` (without the batch), and its sums of `parameters` and
        `multiply_adds`, as `layer_table` counts them.

    Raises
    ------
    K2CError
        When the network cannot read an input of that shape.
    """
    blocks = dict(model.named_children())
    trunk = blocks.pop("trunk", None)
    inner = {} if trunk is None else {f"trunk.{name}": block for name, block in trunk.named_children()}
    shapes: dict[str, tuple[int, ...]] = {}

    def keep(name: str) -> Any:
        return lambda module, args, output: shapes.update({name: tuple(output.shape[1:])})

    hooks = [block.register_forward_hook(keep(name)) for name, block in (inner | blocks).items()]
    try:
        layers = layer_table(model, input_shape)
    finally:
        for hook in hooks:
            hook.remove()
    depth = {name: 2 if name.startswith("trunk.") else 1 for name in layers.index}
    names = [".".join(str(name).split(".")[: depth[name]]) for name in layers.index]
    table = layers.groupby(names, sort=False)[["parameters", "multiply_adds"]].sum()
    table.insert(0, "output_shape", [shapes[name] for name in table.index])
    return table.set_axis([name.removeprefix("trunk.") for name in table.index]).rename_axis("block")


def count_operations(work: Callable[[], object]) -> int:
    """Return how many operations torch starts while it does some work: on a GPU about as many kernels.

    Views, which start nothing on a device, are left out.
    """

    class Counter(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.count += not operation.is_view
            return operation(*args, **(kwargs or {}))

    with Counter() as counter:
        work()
    return counter.count
