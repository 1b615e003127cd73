"""NVIDIA's run-time compiler through ctypes: CUDA C to PTX or machine code, also where there is no GPU."""

import ctypes
import sysconfig
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_int, c_size_t, c_void_p
from functools import cache
from pathlib import Path

import torch

from k2c._system.advice import pip_install
from k2c.errors import K2CError
from k2c.kernels.build import build_error, full_source

NAMES = ("libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", "nvrtc64_130_0.dll", "nvrtc64_120_0.dll")


class NoNVRTC(K2CError):
    """The compiler is not here."""


@cache
def load_nvrtc() -> ctypes.CDLL:
    """Return the library: the one in Python's packages (torch with CUDA brings it), else the system's.

    Raises
    ------
    NoNVRTC
        When there is none.
    """
    packages = Path(sysconfig.get_path("purelib")) / "nvidia"
    # The compiler opens a second library, which is found beside it only when it is loaded already.
    for helper in sorted(packages.glob("*/lib/libnvrtc-builtins.so.*")):
        ctypes.CDLL(str(helper), mode=ctypes.RTLD_GLOBAL)
    found = [str(path) for path in sorted(packages.glob("*/lib/libnvrtc.so.*")) if "alt" not in path.name]
    # Of several, the version that torch was built with fits the driver best.
    major = (torch.version.cuda or "").split(".")[0]
    found.sort(key=lambda name: not (major and name.endswith(f".so.{major}")))
    found += [str(path) for path in sorted(packages.glob("*/bin/**/nvrtc64_*_0.dll"))]
    for name in (*found, *NAMES):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.nvrtcGetErrorString.restype = c_char_p
        return library
    raise NoNVRTC(f"NVIDIA's compiler is not installed. Install it: {pip_install('[cuda]')}")


def compile_cuda(
    text: str,
    title: str,
    flags: Sequence[str] = (),
    arch: str = "compute_80",
    helper: str = "",
    said: list[str] | None = None,
) -> bytes:
    """Compile kernel text with the CUDA prelude.

    Parameters
    ----------
    text
        The source, as in `source/`.
    title
        Its name in messages.
    flags
        More flags, `-DTILE=16`.
    arch
        `compute_80` for PTX, which every later GPU translates when it loads it; `sm_90` for the machine code of
        one architecture, which depends less on the driver's age.
    helper
        Text that goes between prelude and source.
    said
        Gets what the compiler says of a source that it compiles: warnings.

    Returns
    -------
    bytes
        PTX as text, or a cubin.

    Raises
    ------
    K2CError
        With the compiler's log, when it does not compile; `NoNVRTC` when the compiler is not here.
    """
    nvrtc = load_nvrtc()
    program = c_void_p()
    source = full_source(text, "cuda", helper).encode()
    _check(nvrtc, nvrtc.nvrtcCreateProgram(byref(program), source, title.encode(), c_int(0), None, None))
    try:
        options = [f"--gpu-architecture={arch}", "-default-device", *flags]
        raw = (c_char_p * len(options))(*(option.encode() for option in options))
        failed = nvrtc.nvrtcCompileProgram(program, c_int(len(options)), raw)
        log = _read(nvrtc, program, "ProgramLog").rstrip(b"\0").decode(errors="replace")
        if failed:
            raise build_error(title, text, log)
        if said is not None:
            said.append(log)
        return _read(nvrtc, program, "PTX" if arch.startswith("compute") else "CUBIN")
    finally:
        nvrtc.nvrtcDestroyProgram(byref(program))


def _read(nvrtc: ctypes.CDLL, program: c_void_p, what: str) -> bytes:
    size = c_size_t()
    _check(nvrtc, nvrtc[f"nvrtcGet{what}Size"](program, byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(nvrtc, nvrtc[f"nvrtcGet{what}"](program, text))
    return text.raw if what == "CUBIN" else text.raw.rstrip(b"\0") + b"\0"


def _check(nvrtc: ctypes.CDLL, status: int) -> None:
    if status:
        raise K2CError(f"NVIDIA's compiler reports {nvrtc.nvrtcGetErrorString(status).decode()}.")
