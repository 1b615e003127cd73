"""The same small set of kernels on several devices: `opencl`, `cuda`, and the references `numpy` and `torch`."""

from k2c.kernels.attempt import Attempt, memory_reports
from k2c.kernels.base import Ops
from k2c.kernels.buffers import Buffer
from k2c.kernels.build import source_of, sources
from k2c.kernels.build_log import BuildMessage, KernelWarning
from k2c.kernels.cases import Case, first_error, random_case
from k2c.kernels.debug import debug
from k2c.kernels.devices import Device, devices, open, tuning
from k2c.kernels.lenet import (
    lenet_forward,
    lenet_gradients,
    lenet_training_step,
    put_parameters,
    zero_velocity,
)
from k2c.kernels.lenet_module import LeNetOnKernels
from k2c.kernels.libraries import LibraryCalls, library_calls
from k2c.kernels.measure import Ceilings, Roofline, Timing, ceilings, measure, roofline
from k2c.kernels.memory import Accesses, MemoryReport, memory_report, occupancy
from k2c.kernels.nvrtc import compile_cuda
from k2c.kernels.opencl import opencl_devices, runtime_of
from k2c.kernels.specification import Specification, evaluate_formula
from k2c.kernels.student import StudentKernel
from k2c.kernels.table import SPECIFICATIONS, specification
from k2c.kernels.trace import Race, Trace
from k2c.kernels.tuner import Trial, Tuning

__all__ = [
    "SPECIFICATIONS",
    "Accesses",
    "Attempt",
    "Buffer",
    "BuildMessage",
    "Case",
    "Ceilings",
    "Device",
    "KernelWarning",
    "LeNetOnKernels",
    "LibraryCalls",
    "MemoryReport",
    "Ops",
    "Race",
    "Roofline",
    "Specification",
    "StudentKernel",
    "Timing",
    "Trace",
    "Trial",
    "Tuning",
    "ceilings",
    "compile_cuda",
    "debug",
    "devices",
    "evaluate_formula",
    "first_error",
    "lenet_forward",
    "lenet_gradients",
    "lenet_training_step",
    "library_calls",
    "measure",
    "memory_report",
    "memory_reports",
    "occupancy",
    "open",
    "opencl_devices",
    "put_parameters",
    "random_case",
    "roofline",
    "runtime_of",
    "source_of",
    "sources",
    "specification",
    "tuning",
    "zero_velocity",
]
