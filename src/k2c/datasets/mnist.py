"""Handwritten digits: MNIST, and scikit-learn's small real digits for a machine without a network."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from k2c._system.advice import set_parameter
from k2c.datasets.fetching import FetchError, fetch
from k2c.errors import K2CError

# torch is imported where tensors are made: who reads messages or photographs does not wait for it.
if TYPE_CHECKING:
    from torch import Tensor

MNIST_MEAN = 0.1307  # of all training pixels, scaled to [0, 1]
MNIST_STD = 0.3081


@dataclass(frozen=True, eq=False)
class Digits:
    """Images of digits, row by row with their labels.

    Attributes
    ----------
    images
        uint8 (N, 28, 28): 0 is background, 255 is ink.
    labels
        int64 (N,): 0 to 9.
    """

    images: "Tensor"
    labels: "Tensor"

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        counts = self.labels.bincount(minlength=10).tolist()
        listed = ", ".join(f"{digit}: {count:,}" for digit, count in enumerate(counts))
        return f"Digits({len(self):,} images of {self.images.shape[1]}x{self.images.shape[2]}; {listed})"

    def subset(self, indices: "Sequence[int] | slice | np.ndarray | Tensor") -> "Digits":
        """Return the examples at `indices` (a slice, integers or a mask), in that order."""
        import torch

        if not isinstance(indices, slice):
            indices = torch.as_tensor(indices)
        return Digits(self.images[indices], self.labels[indices])


class DigitSplits(NamedTuple):
    """The two parts of a data set of digits."""

    train: Digits
    test: Digits

    def __repr__(self) -> str:
        return f"train: {self.train}\ntest: {self.test}"


def load_mnist(source: str = "mnist") -> DigitSplits:
    """Load handwritten digits.

    Parameters
    ----------
    source
        `"mnist"`: the 60,000 and 10,000 images of MNIST, downloaded once. `"digits"`: scikit-learn's 1,797
        real digits, enlarged, which need no network.

    Returns
    -------
    DigitSplits
        `train` and `test`.

    Raises
    ------
    FetchError
        When MNIST is neither cached nor to be had.
    K2CError
        When `source` is neither of the two.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition (1998).
    """
    if source == "digits":
        return _enlarged_digits()
    if source != "mnist":
        raise K2CError(f'source="{source}" is not one of "mnist" and "digits".')
    try:
        folder = fetch("mnist") / "MNIST" / "raw"
    except FetchError as error:
        advice = (
            f"Without a network, use scikit-learn's small real digits: {set_parameter('source', 'digits')}"
        )
        raise FetchError(f"{str(error).rstrip('.')}. {advice}") from error
    return DigitSplits(train=_read(folder, "train"), test=_read(folder, "t10k"))


def to_inputs(images: "Tensor") -> "Tensor":
    """Turn images into what a network reads: mean 0 and standard deviation 1 over MNIST's training pixels.

    Parameters
    ----------
    images
        uint8 (N, 28, 28).

    Returns
    -------
    torch.Tensor
        float32 (N, 1, 28, 28), on the device of `images`.
    """
    return images.unsqueeze(1).float().div_(255).sub_(MNIST_MEAN).div_(MNIST_STD)


def _read(folder: Path, prefix: str) -> Digits:
    import torch

    images = torch.from_numpy(_read_idx(folder / f"{prefix}-images-idx3-ubyte"))
    labels = torch.from_numpy(_read_idx(folder / f"{prefix}-labels-idx1-ubyte"))
    return Digits(images, labels.to(torch.int64))


def _read_idx(path: Path) -> np.ndarray:
    """Read an IDX file of unsigned bytes.

    Returns
    -------
    numpy.ndarray
        uint8, writable, with as many dimensions as the header states.

    Raises
    ------
    K2CError
        When the file is not such a file, or its length and its header disagree.

    Notes
    -----
    Two zero bytes, the type code, the number of dimensions, then each dimension as a big-endian 32-bit
    integer (the MNIST homepage describes the format).
    """
    content = np.fromfile(path, dtype=np.uint8)
    if content.size < 4 or tuple(content[:3]) != (0, 0, 0x08) or content.size < 4 + 4 * int(content[3]):
        raise K2CError(f"{path} is not an IDX file of unsigned bytes.")
    header = 4 + 4 * int(content[3])
    shape = content[4:header].view(">u4").astype(int)
    values = content[header:]
    if values.size != np.prod(shape):
        raise K2CError(f"{path} holds {values.size:,} values but its header promises {np.prod(shape):,}.")
    return values.reshape(shape)


def _enlarged_digits() -> DigitSplits:
    # Not at the top: scikit-learn takes a second to import, and only this function needs it.
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    small = torch.from_numpy(bunch.images).to(torch.float32).unsqueeze(1) / 16
    # As in MNIST, a digit fills the inner 20x20 of the 28x28.
    large = torch.nn.functional.interpolate(small, size=(20, 20), mode="bilinear", align_corners=False)
    images = torch.nn.functional.pad(large.squeeze(1) * 255, (4, 4, 4, 4)).round().to(torch.uint8)
    digits = Digits(images, torch.from_numpy(bunch.target).to(torch.int64))
    train, test = train_test_split(
        np.arange(len(digits)), test_size=360, random_state=0, stratify=bunch.target
    )
    return DigitSplits(digits.subset(np.sort(train)), digits.subset(np.sort(test)))
