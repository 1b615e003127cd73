"""Papermill engines that report which cell runs, and whose notebook can be read while it runs."""

import contextlib
import math
import time
from dataclasses import replace
from queue import Empty
from typing import Any

from jupyter_client.asynchronous import AsyncKernelClient
from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine

from k2c._system.outputs import EPOCH_MIME
from k2c._system.printable import plain
from k2c.course.lecture import ASIDE, SKIPPED
from k2c.runs.execution.forked_kernel import ForkProvisioner, own_server
from k2c.runs.execution.seen import Execution, Step

OUTPUT_SECONDS = 60  # how long a loaded machine may take to pass on what a cell printed


class LectureEngine(NBClientEngine):
    """Papermill's own engine, seen through an `Execution`."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, execution: Execution | None = None, **options: Any
    ) -> NotebookNode:
        """Execute the notebook; see `papermill.engines.NBClientEngine` for the options."""
        execution = execution or cls.execution()
        allowed = {"startup_timeout": options.pop("start_timeout", 60), "kernel_name": kernel_name}
        allowed["timeout"] = options.pop("execution_timeout", None)
        kept = ("stdout_file", "stderr_file", "log_output")
        allowed |= {key: options[key] for key in kept if key in options}
        # The folder goes to the kernel alone: papermill's `cwd` moves this whole process, and its other threads.
        place = {"metadata": {"path": execution.folder}} if execution.folder else {}
        client = LectureClient(nb_man, execution, resources=place, iopub_timeout=OUTPUT_SECONDS, **allowed)
        # What the kernel's process says itself (a crash, a warning) belongs in the log, not in the terminal.
        environment = {"env": execution.environment} if execution.environment else {}
        return client.execute(stderr=options.get("stderr_file"), **environment)

    @classmethod
    def execution(cls) -> Execution:
        """Return what is used when papermill is called without an `Execution`."""
        return Execution()


class ForkEngine(LectureEngine):
    """The same with a forked kernel: `papermill --engine k2c-fork`."""

    @classmethod
    def execution(cls) -> Execution:
        """Return an execution whose kernel is forked from this process's own server."""
        return Execution(server=own_server())


class NewKernelClient(AsyncKernelClient):
    """jupyter_client's client, for a kernel that nobody else has used."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers on both channels; jupyter_client then listens 0.2 s for messages of others.

        Raises
        ------
        RuntimeError
            When it died, or did not answer in time.
        """
        until = time.monotonic() + (timeout or math.inf)
        while True:
            self.kernel_info()
            with contextlib.suppress(Empty):
                await self.get_shell_msg(timeout=1)
                await self.get_iopub_msg(timeout=0.2)
                return
            if time.monotonic() > until or not await self.is_alive():
                raise RuntimeError("Kernel died, or did not answer in time")


class LectureClient(PapermillNotebookClient):
    """Papermill's client, reporting to an `Execution`."""

    def __init__(self, nb_man: Any, execution: Execution, **options: Any) -> None:
        super().__init__(nb_man, **options)
        code_cells = [index for index, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        self._number = {index: number for number, index in enumerate(code_cells, start=1)}
        self._execution = execution
        self._listener = execution.listener or (lambda step: None)
        self._step = Step(0, len(code_cells))
        self._listener(self._step)
        execution.notebook = self.nb
        self.on_cell_execute = self._at_cell

    def create_kernel_manager(self) -> Any:
        """Create the manager of the kernel; a forked kernel has a provisioner of its own."""
        manager = super().create_kernel_manager()
        manager.client_factory = NewKernelClient
        if self._execution.server:
            manager.provisioner = ForkProvisioner(kernel_spec=manager.kernel_spec, parent=manager)
            manager.provisioner.server = self._execution.server
        return manager

    def start_new_kernel_client(self) -> Any:
        """Connect to the kernel that was started."""
        assert self.km is not None
        self._execution.kernel = self.km.provisioner.process
        self._execution.started.set()
        return super().start_new_kernel_client()

    def execute_cell(
        self, cell: NotebookNode, cell_index: int, *arguments: Any, **options: Any
    ) -> NotebookNode:
        """Execute a cell, or say in its place that it is skipped."""
        if self._execution.asides or not cell.source.startswith(ASIDE):
            return super().execute_cell(cell, cell_index, *arguments, **options)
        cell.outputs = [new_output("stream", name="stdout", text=f"{SKIPPED}\n")]
        return cell

    def _at_cell(self, cell: NotebookNode, cell_index: int) -> None:
        self._execution.cell = cell_index
        self._tell(Step(self._number[cell_index], self._step.cells, self._step.printed))

    def _tell(self, step: Step) -> None:
        if step != self._step:
            self._step = step
            self._listener(step)

    def process_message(self, message: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Handle one message of the kernel, and tell the listener what it shows."""
        epoch = message.get("content", {}).get("metadata", {}).get(EPOCH_MIME)
        if epoch is not None:  # for those who follow the run; nothing to show in the notebook
            self._execution.epochs.append(epoch)
            self._tell(replace(self._step, epoch=epoch))
            return None
        printed = _last_line(message.get("content", {})) or self._step.printed
        self._tell(Step(self._number.get(cell_index, 0), self._step.cells, printed))
        return super().process_message(message, cell, cell_index)


def _last_line(content: dict[str, Any]) -> str:
    text = content.get("text") or content.get("data", {}).get("text/plain") or ""
    # A progress bar redraws its line after a carriage return; the last drawing is the one to show.
    lines = [line.strip() for line in plain(text, lines=True).split("\n")]
    shown = [line for line in lines if line and not line.startswith("<Figure")]
    return shown[-1] if shown else ""
