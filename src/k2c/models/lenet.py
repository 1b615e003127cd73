"""LeNet, the network of the second lecture."""

from collections import OrderedDict

from torch import Tensor, nn

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
