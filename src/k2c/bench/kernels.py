"""The kernels on a CPU against torch: single operations, LeNet forward, and a step of training it."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from k2c import kernels
from k2c.bench.comparison import Row, Side, alternate, benchmark, spread, time_row, turns, two_sides
from k2c.models.lenet import LeNet

TURNS = 15  # how often the sides take turns
BLOCK = 0.1  # seconds of calls per turn; the least time of a series counts
SERIES = 3  # calls that are queued before one wait: a program waits for its result, not for every operation
BATCH_SIZE = 100
# How much of torch's time ours may take at most.
TARGETS = {
    "add": 1.1,
    "relu": 1.1,
    "matmul 1024": 1.15,
    "conv 1 to 20": 0.6,
    "conv 20 to 50": 0.6,
    "LeNet forward": 0.5,
    "LeNet training step": 1.0,
}
MOMENTUM, WEIGHT_DECAY = 0.9, 1e-5

Calls = dict[str, Callable[[], Any]]
_calls: Calls = {}


@benchmark("kernels")
def kernels_against_torch() -> list[Row]:
    """Time each call in turns with torch's, each side in a process of its own, on every OpenCL runtime here.

    The rows are those of the runtime that `kernels.open` takes, the fastest by measurement; how the others do
    stands in their details. To compare without AVX-512, set CL_CONFIG_CPU_TARGET_ARCH=core-avx2 (Intel's runtime)
    and, for torch, ATEN_CPU_CAPABILITY=avx2, ONEDNN_MAX_CPU_ISA=AVX2 and MKL_ENABLE_INSTRUCTIONS=AVX2.
    """
    with two_sides() as (ours, reference):
        threads = reference(_start_torch)
        taken = ours(_start_ours, "")
        others = [name for name in ours(_runtimes) if name != taken]
        rows = [_row(name, taken, threads, ours, reference) for name in TARGETS]
        for other in others:
            ours(_start_ours, other)
            for row, name in zip(rows, TARGETS, strict=True):
                row["detail"] += f"; {_row(name, other, threads, ours, reference)['detail']}"
    return rows


def _row(name: str, device: str, threads: int, ours: Side, reference: Side) -> Row:
    ours(_seconds, name)  # compile and warm up
    reference(_seconds, name)
    times = alternate(partial(ours, _seconds, name), partial(reference, _seconds, name), turns(TURNS))
    shown = [spread([1e3 * seconds for seconds in side]) for side in times]
    row = time_row(f"kernels: {name}", times, target=1 / TARGETS[name], detail="")
    row["detail"] = (
        f"OpenCL on {device} against torch with {threads} threads; {shown[0]} ms against {shown[1]} ms, "
        f"the fastest {SERIES} calls of a block, {len(times[0])} blocks in turns; "
        f"{1 / row['ratio']:.2f} of torch's time"
    )
    return row


def _runtimes() -> list[str]:
    """Return the OpenCL devices here, each with its runtime."""
    return [kernels.runtime_of(device) for device in kernels.opencl_devices()]


def _data() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "a": (1 << 24,), "b": (1 << 24,), "m": (1024, 1024), "n": (1024, 1024),
        "x1": (BATCH_SIZE, 1, 28, 28), "w1": (20, 1, 5, 5), "b1": (20,),
        "x2": (BATCH_SIZE, 20, 12, 12), "w2": (50, 20, 5, 5), "b2": (50,),
    }  # fmt: skip
    made = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    return made | {"y": torch.randint(0, 10, (BATCH_SIZE,), generator=generator)}


def _model() -> LeNet:
    torch.manual_seed(0)
    return LeNet()


def _start_ours(hardware: str) -> str:
    """Set up our side; returns the device with its runtime."""
    ops = kernels.open("opencl", hardware)
    data = _data()
    at = {name: ops.put(value.int() if name == "y" else value) for name, value in data.items()}
    long, square = ops.empty(at["a"].shape), ops.empty(at["m"].shape)
    params = kernels.put_parameters(ops, _model())
    velocity = kernels.zero_velocity(ops, params)
    calls: Calls = {
        "add": lambda: ops.vector_add(at["a"], at["b"], long),
        "relu": lambda: ops.relu(at["a"], long),
        "matmul 1024": lambda: ops.matmul(at["m"], at["n"], out=square),
        "conv 1 to 20": lambda: ops.conv2d(at["x1"], at["w1"], at["b1"]),
        "conv 20 to 50": lambda: ops.conv2d(at["x2"], at["w2"], at["b2"]),
        "LeNet forward": lambda: kernels.lenet_forward(ops, params, at["x1"]),
        "LeNet training step": lambda: kernels.lenet_training_step(
            ops, params, velocity, at["x1"], at["y"], 0.01, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY
        ),
    }
    _calls.update(calls, wait=ops.synchronize)
    return str(getattr(ops, "runtime", ops.device_name))


def _start_torch() -> int:
    """Set up torch's side; returns its number of threads."""
    data = _data()
    long, square = torch.empty_like(data["a"]), torch.empty_like(data["m"])
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)

    def training_step() -> None:
        with torch.enable_grad():
            optimizer.zero_grad()
            functional.cross_entropy(model(data["x1"]), data["y"]).backward()
            optimizer.step()

    _calls.update(
        {
            "add": lambda: torch.add(data["a"], data["b"], out=long),
            "relu": lambda: torch.clamp_min(data["a"], 0.0, out=long),
            "matmul 1024": lambda: torch.mm(data["m"], data["n"], out=square),
            "conv 1 to 20": lambda: functional.conv2d(data["x1"], data["w1"], data["b1"]),
            "conv 20 to 50": lambda: functional.conv2d(data["x2"], data["w2"], data["b2"]),
            "LeNet forward": lambda: model(data["x1"]),
            "LeNet training step": training_step,
            "wait": lambda: None,  # a call of torch's on a CPU ends when its work does
        }
    )
    torch.set_grad_enabled(False)
    return torch.get_num_threads()


def _seconds(name: str) -> float:
    """Return the seconds of a call in the fastest series, out of as many as a block holds."""
    least, end = float("inf"), time.perf_counter() + BLOCK
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(SERIES):
            _calls[name]()
        _calls["wait"]()
        least = min(least, (time.perf_counter() - start) / SERIES)
    return least
