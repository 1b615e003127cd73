"""The sources of the kernels as a compiler reads them, and a compiler's log as an error message."""

import re
from functools import cache
from pathlib import Path

from k2c.errors import K2CError

SOURCE = Path(__file__).with_name("source")

# clang's `file:3:9: error: what`, the same as PoCL turns it round, and NVRTC's `file(3): error: what`.
_COMPLAINT = (
    r"{kind}: \S*?:(?P<line>\d+):\d+: (?P<message>.*)"
    r"|\S*?[:(](?P<line2>\d+)(?::\d+|\))?: (?:fatal )?{kind}:? (?P<message2>.*)"
)

_KERNEL = re.compile(r"^(?:VECTORS\n)?KERNEL (\w+)\(.*?^}\n", re.S | re.M)

# The compile-time numbers of each file, by the kind of hardware: the first are the defaults, and what a device is
# fastest with, `tuning` finds out by measuring. A CPU has few cores with wide vectors and large caches: large
# tiles. A GPU work-item has at most 255 registers, and thousands must share a multiprocessor. ITEMS is the
# size of a CPU's work-group, a loop on one core; from LONG elements on, vector_add and relu write past the caches.
NEVER = 2**31 - 1
# conv_block.cl: filters of 5 x 5, whose gradients need up to 20 channels, 16 windows and 50 filters.
LENET_BLOCK = {"SIDE": 5, "FULL": 6, "WINDOWS": 16, "MOST": 50}
SHAPES: dict[str, dict[str, tuple[dict[str, int], ...]]] = {
    "cpu": {
        "elementwise.cl": tuple(
            {"ITEMS": items, "LONG": long}
            for items, long in ((4096, 1 << 20), (4096, NEVER), (1024, 1 << 20), (1024, NEVER))
        ),
        "reduce.cl": ({"GROUP": 256},),
        "softmax.cl": ({"GROUP": 64},),
        # 32 vector registers of 16 numbers hold 6 x 4 or 10 x 2 vectors; 16 registers of 8 hold 6 x 1 or 4 x 1.
        "matmul.cl": tuple(
            {"TILE": 16, "ROWS": rows, "WIDE": wide, "ITEMS": 2}
            for rows, wide in ((6, 4), (6, 1), (12, 2), (4, 1), (8, 2), (6, 2))
        ),
        "conv2d.cl": tuple(
            {"FILTERS": filters, "PAIRS": pairs, "SIDE": 5}
            for filters, pairs in ((10, 2), (5, 1), (10, 1), (12, 1), (20, 1), (5, 2))
        ),
        "conv2d_backward.cl": tuple({"TAPS": 5, "SOME": some} for some in (4, 1, 2, 5)),
        "conv_block.cl": tuple(
            {"FILTERS": filters, "SOME": some} | LENET_BLOCK
            for filters, some in ((5, 10), (10, 10), (6, 5), (5, 25))
        ),
    },
    "gpu": {
        "elementwise.cl": ({"ITEMS": 256, "LONG": NEVER},),
        "reduce.cl": ({"GROUP": 256},),
        "softmax.cl": ({"GROUP": 64},),
        "matmul.cl": tuple({"TILE": 16, "ROWS": rows, "WIDE": 1, "ITEMS": 2} for rows in (4, 2, 8)),
        "conv2d.cl": tuple({"FILTERS": filters, "PAIRS": 1, "SIDE": 5} for filters in (5, 2, 10)),
        "conv2d_backward.cl": tuple({"TAPS": 5, "SOME": some} for some in (1, 2)),
        "conv_block.cl": tuple(
            {"FILTERS": filters, "SOME": some} | LENET_BLOCK for filters, some in ((2, 1), (1, 1), (2, 2))
        ),
    },
}


OF_LAUNCH = ("ITEMS", "LONG")  # numbers that no kernel's text uses


def shapes_of(kind: str, file: str) -> tuple[dict[str, int], ...]:
    """Return the compile-time numbers that a file may have on a `cpu` or `gpu`, the defaults first."""
    return SHAPES[kind].get(file, ({},))


def options_of(kind: str, file: str) -> dict[str, int]:
    """Return the default compile-time numbers of a file on a `cpu` or `gpu`."""
    return shapes_of(kind, file)[0]


def sources() -> list[str]:
    """Return the names of the kernel files."""
    return sorted(path.name for path in SOURCE.glob("*.cl"))


@cache
def source_of(file: str) -> str:
    """Return the text of a kernel file, as a student reads it."""
    return (SOURCE / file).read_text(encoding="utf-8")


@cache
def one_kernel(file: str, name: str) -> str:
    """Return the text of a kernel file without its other kernels; lines keep their numbers."""
    return _KERNEL.sub(lambda m: m[0] if m[1] == name else "\n" * m[0].count("\n"), source_of(file))


def full_source(text: str, language: str, helper: str = "") -> str:
    """Return kernel text below the prelude of a language, `opencl` or `cuda`; its lines count from 1."""
    prelude = (SOURCE / f"prelude_{language}.h").read_text(encoding="utf-8")
    return f"{prelude}\n{helper}\n#line 1\n{text}"


def define_flags(options: dict[str, int]) -> list[str]:
    """Return the compiler's flags for compile-time numbers."""
    return [f"-D{name}={value}" for name, value in options.items() if name not in OF_LAUNCH]


def build_error(title: str, text: str, log: str) -> K2CError:
    """Return an error that shows the compiler's complaints, each with the line of the source that it is about.

    Parameters
    ----------
    title
        What was being compiled.
    text
        The source as its author wrote it.
    log
        What the compiler said.
    """
    shown = complaints("error", text, log)
    return K2CError(f"{title} does not compile:\n" + ("\n".join(shown) or log.strip()))


def complaints(kind: str, text: str, log: str) -> list[str]:
    """Return what a compiler's log says of lines of the source, each with the line.

    Parameters
    ----------
    kind
        `error` or `warning`.
    text, log
        As for `build_error`.
    """
    lines, shown = text.splitlines(), []
    for complaint in log.splitlines():
        match = re.match(_COMPLAINT.format(kind=kind), complaint)
        if match:
            number, message = int(match["line"] or match["line2"]), match["message"] or match["message2"]
            quoted = f"\n    {number:>4} | {lines[number - 1]}" if 0 < number <= len(lines) else ""
            shown.append(f"  line {number}: {message}{quoted}")
    return shown
