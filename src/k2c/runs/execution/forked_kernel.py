"""Kernels forked from one process: their server, what a fork runs, and how jupyter_client starts it."""

import asyncio
import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from k2c._system.forkserver import ForkedProcess, ForkServer

# What a kernel imports when it starts, opens a lecture or runs its first cells, beside what that lecture imports.
_MODULES = (
    "k2c.runs.execution.forked_kernel:drop_debugger",
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "IPython.core.completerlib",
    "IPython.core.magics.execution",
    "IPython.extensions.storemagic",
    "sqlite3",
    "k2c.course.lecture",
    "k2c.course.syllabus",
    "k2c.display.style",
)


def kernel_server(modules: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> ForkServer:
    """Return a server that forks kernels.

    Parameters
    ----------
    modules
        What the kernels will import.
    environment
        The server's environment; that of this process when left out.
    """
    # Figures are drawn into the notebook; matplotlib reads this when it is imported.
    backend = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    return ForkServer(
        [*_MODULES, *modules, "k2c.runs.execution.forked_kernel:prepare"],
        dict(environment or os.environ) | backend,
    )


@cache
def own_server() -> ForkServer:
    """Return the one server of this process, for who brings none."""
    return kernel_server()


def drop_debugger() -> None:
    """Let kernels do without debugpy: each would import its hundred modules, and nobody debugs a run."""
    sys.modules["debugpy"] = cast(Any, None)  # to Python, a module that cannot be imported


def prepare() -> None:
    """Do once what each kernel would do again with the modules that were imported."""
    if "torch" in sys.modules:
        # What functions of this package import when they are called, a second or two each time.
        from k2c._system.torchvision_compat import import_torchvision

        import_torchvision()
        importlib.import_module("torch._dynamo")
        importlib.import_module("torchmetrics.classification")
    if "pandas" in sys.modules:
        importlib.import_module("pandas.io.formats.html")  # how a table is shown
    if "matplotlib" in sys.modules:
        _find_fonts()


def _find_fonts() -> None:
    """Draw a figure."""
    importlib.import_module("matplotlib_inline.backend_inline")
    from matplotlib import pyplot

    from k2c.display.style import use_style

    with pyplot.rc_context():
        use_style()
        figure, axes = pyplot.subplots(figsize=(2, 1))
        axes.set(title="title", xlabel="$x^2$", ylabel=r"$\times 10^{-3}$")
        axes.semilogy([1, 10], [1, 100], label="line")
        axes.legend()
        figure.savefig(io.BytesIO(), format="png", bbox_inches="tight")
        pyplot.close(figure)


def main() -> None:
    """Be a kernel, with the arguments of the process."""
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    # The app watches for its parent's end by itself. What runs here is no part of the user's history of IPython.
    settings = Config({"HistoryManager": {"enabled": False}})
    kernel = IPKernelApp.instance(parent_handle=os.getppid(), config=settings)
    kernel.initialize()
    kernel.start()


class ForkProvisioner(LocalProvisioner):
    """Forks kernels from `server`; a server of this process's own when none was given.

    Ports, connection file and environment are those of jupyter_client's own provisioner.
    """

    server: ForkServer | None = None
    process: ForkedProcess | None  # type: ignore[assignment]

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Fork a kernel with the arguments that follow the launcher's module in `cmd`."""
        argv = cmd[cmd.index("-m") + 2 :] if "-m" in cmd else cmd[1:]
        output: Any = kwargs.get("stderr")
        path = Path(output.name) if hasattr(output, "name") else None
        self.cwd = kwargs.get("cwd") or str(Path.cwd())
        server = self.server or own_server()
        self.process = await asyncio.to_thread(
            server.fork, "k2c.runs.execution.forked_kernel:main", argv, kwargs["env"], self.cwd, path
        )
        self.pid = self.pgid = self.process.pid
        return self.connection_info

    async def wait(self) -> int | None:
        """Wait for the kernel's end and return its exit code."""
        while self.process and (code := self.process.poll()) is None:
            await asyncio.sleep(0.02)
        if self.process:
            self.process = None
            return code
        return 0

    async def send_signal(self, signum: int) -> None:
        """Signal the kernel's process group."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signum)

    async def kill(self, restart: bool = False) -> None:
        """Kill the kernel's process group."""
        await self.send_signal(signal.SIGKILL)

    async def terminate(self, restart: bool = False) -> None:
        """Ask the kernel's process group to end."""
        await self.send_signal(signal.SIGTERM)
