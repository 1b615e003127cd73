"""Frozen features that keep their place: several blocks of a backbone, averaged on a coarse grid, and a linear head."""

from collections import OrderedDict
from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from k2c.errors import K2CError, unknown
from k2c.models.backbones import Backbone
from k2c.models.chexnet import log_odds

LAYERS = ("block5", "block8", "block11")  # of EfficientNet-Lite0: edges and textures, before whole objects


class GridTrunk(nn.Sequential):
    """The maps of several parts of a trunk, each averaged on one grid: float32 (N, channels of all, cells, cells)."""

    def __init__(self, parts: "OrderedDict[str, nn.Module]", layers: Sequence[str], cells: int) -> None:
        super().__init__(parts)
        self.layers, self.cells = tuple(layers), cells

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the maps, side by side."""
        maps, found = inputs, []
        for name, part in self.named_children():
            maps = part(maps)
            if name in self.layers:
                found.append(self._means(maps))
        return torch.cat(found, dim=1)

    def _means(self, maps: Tensor) -> Tensor:
        if not torch.onnx.is_in_onnx_export():
            return F.adaptive_avg_pool2d(maps, self.cells)
        side = int(maps.shape[2])  # ONNX knows windows of one size
        if side % self.cells:
            raise K2CError(
                f"Maps of {side} places a side have no grid of {self.cells} in ONNX. Take larger images."
            )
        return F.avg_pool2d(maps, side // self.cells)


def on_grid(network: Backbone, layers: Sequence[str] = LAYERS, cells: int = 4) -> Backbone:
    """Return a backbone whose features are the means of several of its maps on a grid. It shares its weights.

    A mean over the whole image forgets where something is, and in a chest film the place is half of the finding.

    Parameters
    ----------
    network
        A backbone.
    layers
        Names in `network.trunk`.
    cells
        Of the grid, along each side. One cell is the usual mean over all places.

    Returns
    -------
    Backbone
        `feature_map` returns float32 (N, channels, cells, cells); the features are the same numbers in a row.

    Raises
    ------
    K2CError
        For a layer that the trunk does not have, or less than one cell.
    """
    parts = OrderedDict(network.trunk.named_children())
    for layer in layers:
        if layer not in parts:
            raise K2CError(unknown(f"part of {network.name}'s trunk", layer, parts))
    if not layers or cells < 1:
        raise K2CError(f"There are {len(layers)} layers and {cells} cells. Both must be 1 or more.")
    last = max(list(parts).index(layer) for layer in layers)
    kept = OrderedDict(list(parts.items())[: last + 1])
    grid = copy(network)
    grid._modules = dict(network._modules)  # not the dictionary of the other network
    grid.name = f"{network.name}-{'-'.join(layers)}-{cells}x{cells}"
    grid.trunk, grid.pool, grid.classifier = GridTrunk(kept, layers, cells), nn.Sequential(nn.Flatten()), None
    grid._last = ""
    with torch.inference_mode():
        grid.n_features = grid.eval()(next(network.parameters()).new_zeros(1, 3, 96, 96)).shape[1]
    return grid.train(network.training)


def untrained_head(features: NDArray[np.float32], labels: NDArray[np.float32]) -> nn.Sequential:
    """Return the standardisation of features, and a linear layer at 0 whose biases are each finding's log-odds.

    Parameters
    ----------
    features
        Of the training set, float32 (N, F); the standardisation is theirs.
    labels
        1, 0 or NaN (not known), (N, C).

    Returns
    -------
    nn.Sequential
        From features to logits, in evaluation mode.
    """
    x = torch.tensor(features)
    scale = nn.BatchNorm1d(x.shape[1], affine=False)
    scale.running_mean, scale.running_var = x.mean(dim=0), x.var(dim=0, unbiased=False)
    linear = nn.Linear(x.shape[1], labels.shape[1])
    nn.init.zeros_(linear.weight)
    linear.bias.data.copy_(log_odds(labels))
    return nn.Sequential(scale, linear).eval()


def train_head(
    features: NDArray[np.float32], labels: NDArray[np.float32], *, epochs: int = 12, batch_size: int = 64,
    learning_rate: float = 1e-3, weight_decay: float = 0.05, seed: int = 0,
) -> nn.Sequential:  # fmt: skip
    """Train one linear layer on features, with AdamW and one cycle of the learning rate.

    Parameters
    ----------
    features, labels
        As of `untrained_head`; what is not known is not counted.
    epochs, batch_size, learning_rate, weight_decay
        Of the training; the learning rate is the highest of the cycle.
    seed
        Of the order.

    Returns
    -------
    nn.Sequential
        From features to logits: `untrained_head`, trained.

    References
    ----------
    Smith and Topin: Super-convergence: very fast training of neural networks using large learning rates (2019).
    """
    from k2c.training import MultiLabelLoss

    head = untrained_head(features, labels)
    scale, linear = head
    with torch.no_grad():
        x, y = scale(torch.tensor(features)), torch.tensor(labels)
    order, loss = torch.Generator().manual_seed(seed), MultiLabelLoss()
    optimizer = torch.optim.AdamW(linear.parameters(), weight_decay=weight_decay)
    steps = epochs * -(-len(x) // batch_size)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=order).split(batch_size):
            optimizer.zero_grad()
            loss(linear(x[rows]), y[rows]).backward()
            optimizer.step()
            cycle.step()
    return head


def evidence(
    head: nn.Sequential, features: NDArray[np.float32], target: int, cells: int = 4
) -> NDArray[np.float32]:
    """Return what each cell of the grid adds to a logit: float32 (N, cells, cells).

    The head is linear, so this is no approximation: the cells' sum and the bias are the logit. Features count from
    their mean over the training set.

    Parameters
    ----------
    head
        Of `train_head`.
    features
        float32 (N, channels * cells * cells), in the order of `on_grid`.
    target
        The finding's number.
    cells
        Of the grid.
    """
    scale, linear = head
    with torch.inference_mode():
        added = scale(torch.tensor(features)) * linear.get_parameter("weight")[target]
        return added.unflatten(1, (-1, cells, cells)).sum(dim=1).numpy()
