"""Augmentation: changes of an image that leave its label as it is, made on whole batches, on the device.

Every transform draws from torch's global generator of the batch's device, or from a generator that it is given:
one seed, one series of images. `fit` keeps the generators' states in its checkpoints.
"""

import torch
from torch import Tensor, nn

from k2c.errors import K2CError


class GaussianNoise(nn.Module):
    """Add normally distributed noise, another number for every pixel and channel.

    Parameters
    ----------
    fraction
        The standard deviation, as a fraction of the range of values.
    value_range
        The least and the largest value of a pixel, as the batch has them: (0, 1), or what is left of these after
        the normalisation of a network. The result is clipped to it, as a camera would.
    generator
        Where the noise comes from; torch's global generator where it is left out.
    """

    def __init__(
        self,
        fraction: float = 0.2,
        value_range: tuple[float, float] = (0.0, 1.0),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        low, high = value_range
        if fraction < 0 or not low < high:
            raise K2CError(
                f"GaussianNoise({fraction}, {value_range}): the fraction must be 0 or more, the range (least, largest)."
            )
        self.fraction, self.low, self.high, self.generator = fraction, float(low), float(high), generator

    def forward(self, batch: Tensor) -> Tensor:
        """Return the batch with noise, floating point, in the same shape and on the same device."""
        _check_floating(batch, "GaussianNoise")
        noise = torch.empty_like(batch).normal_(generator=self.generator)
        return noise.mul_(self.fraction * (self.high - self.low)).add_(batch).clamp_(self.low, self.high)

    def extra_repr(self) -> str:
        """Return the settings, for `repr` (and so for the name of cached features)."""
        return f"fraction={self.fraction:g}, value_range=({self.low:g}, {self.high:g})"


class Rotate180(nn.Module):
    """Turn each image of a batch upside down, by 180 degrees, with a probability.

    No pixel is interpolated and no corner is lost, unlike with other angles.

    Parameters
    ----------
    p
        The probability for each image.
    generator
        What draws; torch's global generator where it is left out.
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise K2CError(f"Rotate180(p={p}): a probability is from 0 to 1.")
        self.p, self.generator = p, generator

    def forward(self, batch: Tensor) -> Tensor:
        """Return a batch (N, channels, height, width) of the same type, some images of it turned."""
        if batch.ndim != 4:
            raise K2CError(
                f"Rotate180 turns batches (N, channels, height, width), and got {tuple(batch.shape)}."
            )
        draws = torch.empty(len(batch), device=batch.device).uniform_(generator=self.generator)
        turned = (draws < self.p)[:, None, None, None]
        return torch.where(turned, batch.flip((2, 3)), batch)

    def extra_repr(self) -> str:
        """Return the probability, for `repr`."""
        return f"p={self.p:g}"


class OneVariant(nn.Module):
    """Take one of several prepared variants of each example, drawn anew every time.

    An inexpensive form of augmentation for cached features: those of a few augmented copies of each example are
    computed once, and every step takes one copy of each.

    Parameters
    ----------
    generator
        What draws; torch's global generator where it is left out.
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, batch: Tensor) -> Tensor:
        """Return (N, ...) from a batch of variants, (N, n_variants, ...)."""
        if batch.ndim < 2 or batch.shape[1] < 1:
            raise K2CError(f"OneVariant takes batches (N, variants, ...), and got {tuple(batch.shape)}.")
        n, variants = batch.shape[:2]
        chosen = torch.randint(variants, (n,), generator=self.generator, device=batch.device)
        return batch[torch.arange(n, device=batch.device), chosen]


def _check_floating(batch: Tensor, name: str) -> None:
    if not batch.is_floating_point():
        raise K2CError(f"{name} works on floating-point batches, and got {batch.dtype}. Scale it to 0..1.")
