"""Which shapes of the tuned kernels are fastest on a device: measured once, kept, and shown.

A shape is a set of compile-time numbers (`build.SHAPES`): rows and columns of a tile, filters, items of a group.
Every shape computes the same, to rounding: sums may be added up in another order (relative error 1e-6 or less).
"""

import hashlib
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from k2c._system.atomic import atomic_path
from k2c._system.paths import cache_dir
from k2c._system.sealed import read_sealed_json, seal_json
from k2c.errors import K2CError
from k2c.kernels.buffers import Buffer
from k2c.kernels.build import SHAPES, full_source, source_of
from k2c.kernels.kernel_device import KernelDevice, Shapes

BUDGET = 6.0  # seconds per device, compilation included
ROUNDS = 9  # in turns, so that what else the machine does meets all shapes; the least time counts
BETTER = 0.97  # what a shape needs of the default's time to replace it
WAIT = 120.0  # seconds for another process that measures the same device

LENET = 50  # images of a task

Task = Callable[[], Any]


@dataclass(frozen=True)
class Trial:
    """One shape on one device: the least milliseconds of each task, or why there are none."""

    device: str
    file: str
    shape: dict[str, int]
    milliseconds: tuple[float, ...] = ()
    chosen: bool = False
    note: str = ""

    @property
    def cost(self) -> float:
        """The geometric mean of its milliseconds; infinite when it was not measured."""
        logs = [math.log(value) for value in self.milliseconds]
        return math.exp(sum(logs) / len(logs)) if logs else math.inf


@dataclass(frozen=True)
class Tuning:
    """What was measured. `rows` holds one `Trial` each; as text it is a table."""

    rows: tuple[Trial, ...]

    def __repr__(self) -> str:
        lines = []
        for device in dict.fromkeys(row.device for row in self.rows):
            lines += [device, f"  {'kernels':<18} {'shape':<34} {'milliseconds of each task':<26}"]
            for row in (row for row in self.rows if row.device == device):
                shape = ", ".join(f"{name}={value}" for name, value in row.shape.items())
                times = " ".join(f"{value:.3f}" for value in row.milliseconds) or row.note
                lines.append(f"{'* ' if row.chosen else '  '}{row.file:<18} {shape:<34} {times}")
        return "\n".join([*lines, "* is used. Set K2C_TUNE=0 for the defaults, the first of each."])


def is_on() -> bool:
    """Tell whether shapes are measured: `K2C_TUNE=0` takes the defaults."""
    return os.environ.get("K2C_TUNE", "1") not in ("", "0")


def tuned_shapes(ops: KernelDevice) -> Shapes:
    """Return the shapes that a device is fastest with, by file; measured when that was not done before."""
    return {row.file: row.shape for row in trials(ops) if row.chosen}


def cost(ops: KernelDevice) -> float:
    """Return the geometric mean of a device's times with its best shapes, to compare devices."""
    logs = [math.log(row.cost) for row in trials(ops) if row.chosen and row.milliseconds]
    return math.exp(sum(logs) / len(logs)) if logs else math.inf


def trials(ops: KernelDevice, again: bool = False) -> tuple[Trial, ...]:
    """Return a device's trials: the defaults alone with `K2C_TUNE=0`, else from the cache, else measured now.

    `again` measures them in any case.
    """
    if not is_on():
        note = "not measured: K2C_TUNE=0"
        return tuple(
            Trial(ops.runtime, file, shape, chosen=shape is shapes[0], note=note)
            for file, shapes in _tunable(ops.kind)
            for shape in shapes
        )
    file = cache_dir() / "kernels" / f"tuning-{_key(ops)}.json"
    kept = None if again else _read(file)
    if kept is not None:
        return kept
    measured = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=WAIT):
            measured = (None if again else _read(file)) or _measured(ops)
            _write(file, measured)
    except OSError as error:
        why = error.strerror or str(error)
        warnings.warn(
            f"The kernels' shapes are not kept, because {file.parent} cannot be written ({why}). Set K2C_DATA to a "
            "folder that can, or they are measured in each process; K2C_TUNE=0 takes the defaults.",
            stacklevel=2,
        )
    return measured or _measured(ops)


def _tunable(kind: str) -> list[tuple[str, tuple[dict[str, int], ...]]]:
    return [(file, shapes) for file, shapes in SHAPES[kind].items() if len(shapes) > 1]


def _key(ops: KernelDevice) -> str:
    """Return what tells devices, drivers and kernels apart."""
    texts = [full_source(source_of(file), ops.language) for file, _ in _tunable(ops.kind)]
    identity = json.dumps([*ops.identity, SHAPES[ops.kind], *texts])
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def _measured(ops: KernelDevice) -> tuple[Trial, ...]:
    print(f"k2c measures the kernels' shapes on {ops.runtime}, once; {BUDGET:.0f} s.", file=sys.stderr)
    tunable = _tunable(ops.kind)
    found: list[Trial] = []
    start = time.perf_counter()
    for done, (file, shapes) in enumerate(tunable, 1):
        end = start + BUDGET * done / len(tunable)
        found += _best(ops, file, shapes, end)
    return tuple(found)


def _best(ops: KernelDevice, file: str, shapes: Sequence[dict[str, int]], end: float) -> list[Trial]:
    """Measure the shapes of one file until `end`; the defaults always."""
    sides, notes = _compiled(ops, file, shapes, time.perf_counter() + 0.7 * (end - time.perf_counter()))
    least = {at: [math.inf] * len(tasks) for at, (_, tasks) in sides.items()}
    for done in range(ROUNDS):
        if done > 1 and time.perf_counter() > end:
            break
        for at, (device, tasks) in sides.items():
            least[at] = [min(one, _seconds(device, task)) for one, task in zip(least[at], tasks, strict=True)]
    rows = [
        Trial(
            ops.runtime, file, dict(shape), tuple(round(1e3 * s, 4) for s in least.get(at, ())), note=notes.get(at, "")
        )
        for at, shape in enumerate(shapes)
    ]  # fmt: skip
    best = min(range(len(rows)), key=lambda at: rows[at].cost)
    best = best if rows[best].cost < BETTER * rows[0].cost else 0
    return [replace(row, chosen=at == best) for at, row in enumerate(rows)]


def _compiled(
    ops: KernelDevice, file: str, shapes: Sequence[dict[str, int]], end: float
) -> tuple[dict[int, tuple[KernelDevice, list[Task]]], dict[int, str]]:
    """Return, for each shape's number, a device with its tasks, compiled and warm; and why the others have none."""
    sides: dict[int, tuple[KernelDevice, list[Task]]] = {}
    notes: dict[int, str] = {}
    for at, shape in enumerate(shapes):
        if at and time.perf_counter() > end:
            notes[at] = "not measured: out of time"
            continue
        try:
            device = ops.shaped({file: shape})
            tasks = _tasks(device, file)
            for task in tasks:
                task()
            device.synchronize()
            sides[at] = device, tasks
        except K2CError as error:
            notes[at] = str(error).splitlines()[0]
    return sides, notes


def _seconds(ops: KernelDevice, task: Task) -> float:
    start = time.perf_counter()
    task()
    ops.synchronize()
    return time.perf_counter() - start


def _tasks(ops: KernelDevice, file: str) -> list[Task]:
    """Return calls that use the tuned kernels of a file: a long vector, a product, LeNet's convolutions."""
    random = np.random.default_rng(0)

    def put(*shape: int) -> Buffer:
        return ops.put(random.standard_normal(shape, dtype=np.float32))

    if file == "elementwise.cl":
        a, b, long = put(1 << 22), put(1 << 22), ops.empty(1 << 22)
        return [lambda: ops.vector_add(a, b, long), lambda: ops.relu(a, long)]
    if file == "matmul.cl":
        m, n, out = put(512, 512), put(512, 512), ops.empty((512, 512))
        return [lambda: ops.matmul(m, n, out=out)]
    if file == "conv_block.cl":
        return _block_tasks(ops, put)
    x1, w1, b1 = put(LENET, 1, 28, 28), put(20, 1, 5, 5), put(20)
    x2, w2, b2 = put(LENET, 20, 12, 12), put(50, 20, 5, 5), put(50)
    if file == "conv2d.cl":
        x3, w3 = (
            put(LENET, 50, 16, 16),
            put(20, 50, 5, 5),
        )  # the gradient of x2: y padded, weights turned round
        return [
            lambda: ops.conv2d(x1, w1, b1), lambda: ops.conv2d(x2, w2, b2), lambda: ops.conv2d(x3, w3, b1)
        ]  # fmt: skip
    dy1, dy2 = put(LENET, 20, 24, 24), put(LENET, 50, 8, 8)
    return [
        lambda: ops.conv2d_backward(x1, w1, dy1, need_dx=False),
        lambda: ops.conv2d_backward(x2, w2, dy2, need_dx=False),
    ]


def _block_tasks(ops: KernelDevice, put: Callable[..., Buffer]) -> list[Task]:
    """Return LeNet's blocks forward, and the second one's gradients."""
    sizes1, sizes2 = (LENET, 28, 28, 1, 20), (LENET, 12, 12, 20, 50)
    panels = -(-LENET // 16) * 16
    block1 = put(panels, 28, 28), put(20, 25), put(20), put(LENET, 2880), put(LENET, 2880)
    block2 = put(panels, 2880), put(50, 500), put(50), put(LENET, 800), put(LENET, 800)
    dz, sums, dx = put(LENET, 800), put(50 * 501), put(LENET, 2880)

    def run(name: str, *arguments: Any) -> None:
        ops.run(name, None, *arguments)

    return [
        lambda: run("conv_pool_tanh", *block1, *sizes1, 0),
        lambda: run("conv_pool_tanh", *block2, *sizes2, 1),  # writes `which`, which the others read
        lambda: run("conv_pool_weight", block2[0], dz, block2[4], sums, *sizes2, 1),
        lambda: run("conv_pool_input", block2[0], block2[1], dz, block2[4], dx, *sizes2),
    ]


def _read(file: Path) -> tuple[Trial, ...] | None:
    """Return the trials of a file; None where there is none, or it is damaged."""
    try:
        rows = read_sealed_json(file)["trials"]
        return tuple(Trial(**row | {"milliseconds": tuple(row["milliseconds"])}) for row in rows)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(file: Path, measured: Sequence[Trial]) -> None:
    content = seal_json({"trials": [asdict(trial) for trial in measured]})
    with atomic_path(file) as part:
        part.write_text(json.dumps(content, indent=1), encoding="utf-8")
