"""From the maps of a network to numbers: one or two a map, whatever its size."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


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
