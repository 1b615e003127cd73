"""The devices that run kernels here: the same tests on each."""

import pytest
import torch

from k2c import kernels
from k2c.errors import K2CError
from k2c.kernels.build import options_of

_opened = {}


def opened(name):
    """Open a device once for all tests of this process; skip where it is not."""
    if name not in _opened:
        try:
            _opened[name] = kernels.open(name)
        except K2CError as error:
            _opened[name] = error
    if isinstance(_opened[name], K2CError):
        pytest.skip(str(_opened[name]))
    return _opened[name]


@pytest.fixture
def checked():
    """Return a maker of a kernel of the package whose every array access is checked, and can be traced."""

    def compiled(ops, name):
        source = kernels.specification(name).source
        return ops.compile(kernels.source_of(source), name, options_of(ops.kind, source))

    return compiled


@pytest.fixture(params=["opencl", "cuda"])
def ops(request):
    """A device that runs kernels."""
    return opened(request.param)


@pytest.fixture(params=["opencl", "cuda", "numpy", "torch"])
def any_ops(request):
    """Any device, the references too."""
    return opened(request.param)


@pytest.fixture(autouse=True)
def one_torch_thread():
    """Keep torch's threads from waiting for a core while a kernel has it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
