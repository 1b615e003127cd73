"""LeNet, the network of the second lecture, and LeNet-5 as it was published in 1998, but for its output layer."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from k2c.errors import K2CError


class LeNet(nn.Sequential):
    """Two rounds of convolution, tanh and max-pooling, then two linear layers.

    Layers, with their output for one image: conv1 (20, 24, 24), pool1 (20, 12, 12), conv2 (50, 8, 8),
    pool2 (50, 4, 4), flatten (800), linear1 (500), linear2 (n_classes); a tanh after each of conv1, conv2 and
    linear1. Both convolutions have 5x5 kernels without padding. 431,080 parameters with ten classes.

    Parameters
    ----------
    n_classes
        The number of logits.

    References
    ----------
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition (1998), in the
    wider variant with max-pooling and a softmax loss that tutorials of the 2010s trained on MNIST.
    """

    def __init__(self, n_classes: int = 10) -> None:
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(1, 20, kernel_size=5),
                tanh1=nn.Tanh(),
                pool1=nn.MaxPool2d(2),
                conv2=nn.Conv2d(20, 50, kernel_size=5),
                tanh2=nn.Tanh(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                linear1=nn.Linear(50 * 4 * 4, 500),
                tanh3=nn.Tanh(),
                linear2=nn.Linear(500, n_classes),
            )
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, float32 (N, n_classes), of images, float32 (N, 1, 28, 28).

        Raises
        ------
        K2CError
            When the images have another shape or are still whole numbers.
        """
        if inputs.shape[1:] != (1, 28, 28) or not inputs.is_floating_point():
            raise K2CError(
                f"LeNet reads floating-point images of shape (N, 1, 28, 28), and got {inputs.dtype} "
                f"{tuple(inputs.shape)}. Scale them, and add the channel with images.unsqueeze(1)."
            )
        return super().forward(inputs)


# LeCun et al. (1998), table 1: the maps of pool2 that each of the sixteen maps of conv3 reads.
_READ_BY = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip


class LeNet5(nn.Sequential):
    """The convolutional network of 1998, with ten logits in place of its radial basis functions.

    Two rounds of convolution and trainable subsampling (6 and 16 maps), a convolution into 120 numbers, a layer of
    84 and the output; a scaled tanh after each but the last. Images are widened to 32 x 32 with their own border.
    60,000 trained parameters up to the layer of 84, as in the paper, and 850 in the output layer.

    Reads floating-point images of shape (N, 1, 28, 28), and returns logits of shape (N, 10).

    References
    ----------
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition (1998), section II.B.
    """

    def __init__(self) -> None:
        super().__init__(
            OrderedDict(
                widen=nn.ReplicationPad2d(2),
                conv1=nn.Conv2d(1, 6, kernel_size=5),
                tanh1=ScaledTanh(),
                pool2=Subsampling(6),
                tanh2=ScaledTanh(),
                conv3=PartialConvolution(),
                tanh3=ScaledTanh(),
                pool4=Subsampling(16),
                tanh4=ScaledTanh(),
                conv5=nn.Conv2d(16, 120, kernel_size=5),
                tanh5=ScaledTanh(),
                flatten=nn.Flatten(),
                linear6=nn.Linear(120, 84),
                tanh6=ScaledTanh(),
                output=nn.Linear(84, 10),
            )
        )


class ScaledTanh(nn.Module):
    """1.7159 tanh(2/3 x): it maps 1 to 1 and -1 to -1 (the paper's appendix A)."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the function of each number."""
        return 1.7159 * torch.tanh(inputs * (2 / 3))


class Subsampling(nn.Module):
    """The mean of each 2 x 2 block, times a trained coefficient of the map, plus a trained bias of the map.

    The paper adds the four numbers; with the mean instead, a coefficient that starts at 1 keeps the scale.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return maps of half the height and width."""
        return F.avg_pool2d(inputs, 2) * self.coefficient + self.bias


class PartialConvolution(nn.Module):
    """A 5 x 5 convolution from six maps to sixteen, each of which reads only the maps that the paper gives it."""

    def __init__(self) -> None:
        super().__init__()
        pairs = [(out, read) for out, reads in enumerate(_READ_BY) for read in reads]
        self.register_buffer("pairs", torch.tensor(pairs).T)
        bounds = torch.tensor([(25 * len(_READ_BY[out])) ** -0.5 for out, _ in pairs])
        self.weight = nn.Parameter((2 * torch.rand(len(pairs), 5, 5) - 1) * bounds[:, None, None])
        self.bias = nn.Parameter(torch.zeros(len(_READ_BY)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return sixteen maps, four smaller in height and width."""
        pairs = self.get_buffer("pairs")
        kernels = self.weight.new_zeros(len(_READ_BY), 6, 5, 5).index_put((pairs[0], pairs[1]), self.weight)
        return F.conv2d(inputs, kernels, self.bias)
