"""LeNet on the kernels as a torch module: the loop, the loss and the optimiser stay torch's."""

from typing import Any

import torch
from torch import Tensor, nn

from k2c.errors import K2CError
from k2c.kernels.base import Ops
from k2c.kernels.on_kernels import LANES, KernelOps


class LeNetOnKernels(nn.Module):
    """A `k2c.models.LeNet` whose layers, but the last, run on the kernels of a device, forward and backward.

    It holds the network that it is given, and trains that network's parameters. What trains LeNet trains this:
    `fit`, a loop of one's own, any loss and any optimiser. Logits and gradients differ from torch's by rounding
    (in float32: about 1e-6 of the largest). The last layer, 5,000 weights, is torch's: starting a kernel would
    cost more than it saves. The parameters are copied to the device for each batch, and the gradients back.

    While kernels run, threads of torch's own wait for work, and take cores from them: use
    `torch.set_num_threads(1)`, or `k2c.training.cpu_threads(1)` around the training.

    Parameters
    ----------
    lenet
        The network, on the CPU.
    ops
        A device that runs kernels, from `kernels.open`.

    Raises
    ------
    K2CError
        When `ops` is a reference, which runs no kernels.
    """

    def __init__(self, lenet: nn.Module, ops: Ops) -> None:
        super().__init__()
        if not isinstance(ops, KernelOps):
            raise K2CError(
                f"{ops.name} is a reference and runs no kernels. Open a device that does: opencl or cuda."
            )
        self.lenet, self.ops = lenet, ops
        self._batches: dict[int, _Batch] = {}

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, float32 (N, n_classes), of images, float32 (N, 1, 28, 28)."""
        if inputs.shape[1:] != (1, 28, 28) or inputs.dtype != torch.float32:
            raise K2CError(
                f"LeNet reads float32 images of shape (N, 1, 28, 28), and got {inputs.dtype} {tuple(inputs.shape)}."
            )
        layers: Any = self.lenet
        trained = (layers.conv1, layers.conv2, layers.linear1)
        parameters = [parameter for layer in trained for parameter in (layer.weight, layer.bias)]
        n = len(inputs)
        if n not in self._batches:
            self._batches[n] = _Batch(self.ops, n)
        hidden: Tensor = _UpToLastLayer.apply(self._batches[n], inputs, *parameters)
        return layers.linear2(hidden)


class _UpToLastLayer(torch.autograd.Function):
    """Images in, the 500 numbers before the last layer out."""

    @staticmethod
    def forward(ctx: Any, batch: "_Batch", images: Tensor, *parameters: Tensor) -> Tensor:
        batch.passes += 1
        ctx.batch, ctx.passed = batch, batch.passes
        return batch.forward(images, *(parameter.detach() for parameter in parameters))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.passed != ctx.batch.passes:
            raise K2CError(
                "The activations of this batch are gone: a later batch of the same size has gone forward since. "
                "Call backward() before the next batch goes forward."
            )
        return None, None, *ctx.batch.backward(slopes[0])


class _Batch:
    """The buffers of a batch size, and the launches on them, recorded once and then replayed for every batch."""

    def __init__(self, ops: KernelOps, n: int) -> None:
        self.ops, self.passes = ops, 0
        self.x, self.filters1, self.bias1 = ops.empty((n, 28, 28, 1)), ops.empty((20, 25)), ops.empty(20)
        self.filters2, self.bias2 = ops.empty((50, 500)), ops.empty(50)
        self.weight3, self.bias3 = ops.empty((500, 800)), ops.empty(500)
        self.pool1, self.place1 = ops.empty((n, 144 * 20)), ops.empty((n, 144 * 20))
        self.flat, self.place2 = ops.empty((n, 16 * 50)), ops.empty((n, 16 * 50))
        self.slope = ops.empty((n, 500))
        with ops.recorded() as self._forward:
            self._record_forward(n)
        with ops.recorded() as self._backward:
            self._record_backward(n)

    def _record_forward(self, n: int) -> None:
        ops = self.ops
        blocks = (
            (self.x, self.filters1, self.bias1, self.pool1, self.place1, n, 28, 28, 1, 20, 0),
            (self.pool1, self.filters2, self.bias2, self.flat, self.place2, n, 12, 12, 20, 50, 1),
        )
        for x, *others in blocks:
            ops.run("conv_pool_tanh", None, ops.packed(x, n, x.size // n, False, LANES), *others)
        self.hidden = ops.linear(self.flat, self.weight3, self.bias3)
        ops.tanh(self.hidden, out=self.hidden)

    def _record_backward(self, n: int) -> None:
        ops, chunks = self.ops, self.ops.chunks(n)
        dz3 = ops.tanh_backward(self.hidden, self.slope)
        dflat, self.dweight3, self.dbias3 = ops.linear_backward(self.flat, self.weight3, dz3)
        dz2, dz1 = ops.tanh_backward(self.flat, dflat), ops.empty(self.pool1.shape)
        sizes2 = n, 12, 12, 20, 50
        ops.run("conv_pool_input", None, self.pool1, self.filters2, dz2, self.place2, dz1, *sizes2)
        sums1, sums2 = ops.empty((chunks, 20 * 26)), ops.empty((chunks, 50 * 501))
        self.dblock1, self.dblock2 = ops.empty(20 * 26), ops.empty(50 * 501)
        ops.run("conv_pool_weight_gray", None, self.x, dz1, self.place1, sums1, n, 28, 28, 20, chunks)
        ops.run("conv_pool_weight", None, self.pool1, dz2, self.place2, sums2, *sizes2, chunks)
        ops.run("sum_chunks", None, sums1, self.dblock1, chunks, 20 * 26)
        ops.run("sum_chunks", None, sums2, self.dblock2, chunks, 50 * 501)

    def forward(
        self, images: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, w3: Tensor, b3: Tensor
    ) -> Tensor:
        """Return the hidden layer, float32 (N, 500)."""
        for tensor, to in (
            (images.reshape(-1, 28, 28, 1), self.x), (w1.reshape(20, 25), self.filters1), (b1, self.bias1),
            (w2.permute(0, 2, 3, 1).reshape(50, 500), self.filters2), (b2, self.bias2),
            (w3, self.weight3), (b3, self.bias3),
        ):  # fmt: skip
            self.ops.write(tensor.contiguous(), to)
        self.ops.replay(self._forward)
        return torch.from_numpy(self.ops.get(self.hidden))

    def backward(self, slope: Tensor) -> list[Tensor]:
        """Return the gradients of the parameters, in their order."""
        self.ops.write(slope.contiguous(), self.slope)
        self.ops.replay(self._backward)
        gradients = []
        for block, filters in ((self.dblock1, 20), (self.dblock2, 50)):
            both = torch.from_numpy(self.ops.get(block))
            weight = both[:-filters].reshape(filters, 5, 5, -1).permute(0, 3, 1, 2)
            gradients += [weight, both[-filters:]]
        return gradients + [torch.from_numpy(self.ops.get(part)) for part in (self.dweight3, self.dbias3)]
