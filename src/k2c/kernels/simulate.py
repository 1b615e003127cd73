"""The process that `debug` starts: one kernel on the simulator. A script of its own, so that it loads no torch."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

NOT_FOUND = "pyopencl does not find Oclgrind"


def simulate(box: Path) -> None:
    """Run the task in a file on Oclgrind, and leave the arrays afterwards beside it, in `outputs.pickle`.

    Parameters
    ----------
    box
        A pickle that `debug` has just written: source, kernel, global and local size, arguments, flags.
    """
    import pyopencl as cl

    no_cache: Any = False  # what pyopencl takes for none
    source, name, sizes, steps, values, options = pickle.loads(box.read_bytes())  # written by our own parent
    try:
        platform = next(p for p in cl.get_platforms() if "Oclgrind" in p.name)
    except (cl.Error, StopIteration):  # no platform at all is an error to the loader
        sys.exit(NOT_FOUND)
    context = cl.Context(platform.get_devices())
    queue = cl.CommandQueue(context)
    kernel = cl.Kernel(cl.Program(context, source).build(options, cache_dir=no_cache), name)
    flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
    arguments = [cl.Buffer(context, flags, hostbuf=v) if isinstance(v, np.ndarray) else v for v in values]
    kernel(queue, sizes, steps, *arguments)
    outputs = []
    for value, argument in zip(values, arguments, strict=True):
        if isinstance(value, np.ndarray):
            out = np.empty_like(value)
            cl.enqueue_copy(queue, out, argument)
            outputs.append(out)
    (box.parent / "outputs.pickle").write_bytes(pickle.dumps(outputs))


if __name__ == "__main__":
    simulate(Path(sys.argv[1]))
