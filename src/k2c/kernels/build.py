"""From a file of `source/` to what a compiler reads, and from a compiler's log to a sentence."""

import re
from functools import cache
from pathlib import Path

from k2c.errors import K2CError

SOURCE = Path(__file__).with_name("source")

# clang's `file:3:9: error: what`, the same as PoCL turns it round, and NVRTC's `file(3): error: what`.
_COMPLAINT = re.compile(
    r"error: \S*?:(?P<line>\d+):\d+: (?P<message>.*)"
    r"|\S*?[:(](?P<line2>\d+)(?::\d+|\))?: (?:fatal )?error:? (?P<message2>.*)"
)

# Compile-time numbers of each file, by the kind of hardware. A CPU has few cores with wide vectors and large
# caches: large tiles. A GPU work-item has at most 255 registers, and thousands must share a multiprocessor.
OPTIONS = {
    "cpu": {
        "reduce.cl": {"GROUP": 256},
        "softmax.cl": {"GROUP": 64},
        "matmul.cl": {"TILE": 16, "ROWS": 6, "WIDE": 4},
        "conv2d.cl": {"FILTERS": 10, "PAIRS": 2, "SIDE": 5},
        "conv2d_backward.cl": {"TAPS": 5, "SOME": 4},
    },
    "gpu": {
        "reduce.cl": {"GROUP": 256},
        "softmax.cl": {"GROUP": 64},
        "matmul.cl": {"TILE": 16, "ROWS": 4, "WIDE": 1},
        "conv2d.cl": {"FILTERS": 5, "PAIRS": 1, "SIDE": 5},
        "conv2d_backward.cl": {"TAPS": 5, "SOME": 1},
    },
}


def options_of(kind: str, file: str) -> dict[str, int]:
    """Return the compile-time numbers of a file on a `cpu` or `gpu`."""
    return OPTIONS[kind].get(file, {})


def sources() -> list[str]:
    """Return the names of the kernel files."""
    return sorted(path.name for path in SOURCE.glob("*.cl"))


@cache
def source_of(file: str) -> str:
    """Return the text of a kernel file, as a student reads it."""
    return (SOURCE / file).read_text(encoding="utf-8")


def full_source(text: str, language: str, helper: str = "") -> str:
    """Return kernel text below the prelude of a language, `opencl` or `cuda`; its lines count from 1."""
    prelude = (SOURCE / f"prelude_{language}.h").read_text(encoding="utf-8")
    return f"{prelude}\n{helper}\n#line 1\n{text}"


def define_flags(options: dict[str, int]) -> list[str]:
    """Return the compiler's flags for compile-time numbers."""
    return [f"-D{name}={value}" for name, value in options.items()]


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
    lines = text.splitlines()
    shown = []
    for complaint in log.splitlines():
        match = _COMPLAINT.match(complaint)
        if match:
            number, message = int(match["line"] or match["line2"]), match["message"] or match["message2"]
            quoted = f"\n    {number:>4} | {lines[number - 1]}" if 0 < number <= len(lines) else ""
            shown.append(f"  line {number}: {message}{quoted}")
    return K2CError(f"{title} does not compile:\n" + ("\n".join(shown) or log.strip()))
