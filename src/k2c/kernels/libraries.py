"""Which libraries a call of torch ends in: its operators by torch's profiler, and what MKL and oneDNN report."""

import ctypes
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch

from k2c.kernels.build_log import caught_output

_REPORTS = (
    ("MKL", re.compile(r"^MKL_VERBOSE (\w+)\(", re.M)),
    ("oneDNN", re.compile(r"^(?:onednn|dnnl)_verbose.*,exec,\w+,(\w+),", re.M)),
)
_MAKING_ROOM = {f"aten::{name}" for name in ("empty", "zeros", "zero_", "fill_", "copy_")}


@dataclass(frozen=True)
class LibraryCalls:
    """What one call of torch ended in.

    Attributes
    ----------
    operator
        The operator of torch with the longest time of its own, apart from those that make room for results.
    gpu_kernels
        The kernels that ran on an NVIDIA GPU; their names tell the library.
    calls
        What the libraries reported: `MKL: SGEMM`, `oneDNN: convolution`. Empty where neither was called.
    """

    operator: str
    gpu_kernels: tuple[str, ...]
    calls: tuple[str, ...]


def library_calls(call: Callable[[], Any]) -> LibraryCalls:
    """Run a call of torch three times, and find what it ends in.

    Parameters
    ----------
    call
        A function without arguments that computes something with torch.
    """
    from torch.profiler import ProfilerActivity, profile

    call()  # what is set up once is not looked at
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * torch.cuda.is_available()
    with caught_output(), profile(activities=activities) as seen:
        call()
    events = seen.key_averages()
    named = [event for event in events if event.key.startswith("aten::")]
    operators = [event for event in named if event.key not in _MAKING_ROOM] or named
    longest = max(operators, key=lambda event: event.self_cpu_time_total, default=None)
    on_gpu = [event.key for event in events if getattr(event.device_type, "name", "") == "CUDA"]
    with caught_output(descriptor=1) as said, _verbose():
        call()
    found = [f"{library}: {name}" for library, pattern in _REPORTS for name in pattern.findall("".join(said))]
    return LibraryCalls(
        longest.key if longest is not None else "none", tuple(on_gpu), tuple(dict.fromkeys(found))
    )


@contextmanager
def _verbose() -> Iterator[None]:
    """Let MKL and oneDNN report each call on the process's standard output."""
    with ExitStack() as stack:
        for backend in (torch.backends.mkl, torch.backends.mkldnn):
            if backend.is_available():
                with suppress(AssertionError, RuntimeError):  # a build that cannot report
                    stack.enter_context(backend.verbose(1))
        _flush()
        yield
    _flush()


def _flush() -> None:
    """Empty the buffers of C's standard output too, where the libraries write."""
    sys.stdout.flush()
    with suppress(OSError, TypeError, AttributeError):
        (ctypes.cdll.msvcrt if sys.platform == "win32" else ctypes.CDLL(None)).fflush(None)
