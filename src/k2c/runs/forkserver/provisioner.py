"""A kernel provisioner (jupyter_client) whose kernels are forked."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

from k2c.runs.forkserver.client import ForkedProcess, ForkServer, own_server


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
        self.process = await asyncio.to_thread(server.fork, argv, self.cwd, kwargs["env"], path)
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
