"""What compilers and drivers say while kernels are built: caught, kept, and shown to the author of the kernel."""

import os
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from k2c._system.printable import printable
from k2c.kernels.build import complaints, source_of, sources

KEPT = 500  # messages a device keeps, the latest
_STDERR = 2
_lock = threading.RLock()


class KernelWarning(UserWarning):
    """A compiler warns of something in a kernel that somebody wrote."""


@dataclass(frozen=True)
class BuildMessage:
    """What a compiler or driver said about one build.

    Attributes
    ----------
    title
        What was built.
    source
        The text as its author wrote it.
    text
        Everything that was said: the build log, and what was printed on standard error.
    """

    title: str
    source: str
    text: str

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about lines of the source, each with its line; remarks of the compiler are left out."""
        return tuple(dict.fromkeys(complaints("warning", self.source, self.text)))

    def __repr__(self) -> str:
        return f"{self.title}:\n{printable(self.text.strip(), lines=True)}"


@contextmanager
def caught_output(descriptor: int = _STDERR) -> Iterator[list[str]]:
    """Keep what compilers print in the block off standard error (2), or output (1); the list holds it afterwards.

    LLVM prints on the process's file descriptor, past `sys.stderr`: "1 warning generated." would stand below a
    lecture's cell. Python's own warnings of the block (pyopencl's CompilerWarning) are dropped: the build log
    says the same in full. One block at a time, since there is one descriptor.
    """
    said: list[str] = []
    with _lock, warnings.catch_warnings(), tempfile.TemporaryFile() as file:
        warnings.simplefilter("ignore")
        try:
            before = os.dup(descriptor)
        except OSError:  # closed, as in a service: there is nothing to keep clean
            yield said
            return
        try:
            os.dup2(file.fileno(), descriptor)
            yield said
        finally:
            os.dup2(before, descriptor)
            os.close(before)
            file.seek(0)
            said.append(file.read().decode(errors="replace"))


def warn_author(message: BuildMessage) -> None:
    """Warn whoever wrote the kernel, when it is not one of the package's own."""
    if not message.warnings or any(message.source.strip() in source_of(file) for file in sources()):
        return
    shown = "\n".join(message.warnings)
    text = f"{message.title} compiles, and the compiler warns:\n{shown}"
    warnings.warn(text, KernelWarning, stacklevel=4)
