"""A papermill engine that says where a notebook is: which cell runs, and what it printed last."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine


@dataclass(frozen=True)
class Step:
    """Where a running notebook is.

    Attributes
    ----------
    cell
        The running code cell, from 1; 0 while the kernel starts.
    cells
        The number of code cells.
    printed
        The last line that the notebook printed, or an empty string.
    """

    cell: int
    cells: int
    printed: str = ""


Listener = Callable[[Step], None]


class LectureEngine(NBClientEngine):
    """Papermill's own engine, with a listener told of every cell and every printed line."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, listener: Listener | None = None, **options: Any
    ) -> NotebookNode:
        """Execute the notebook; see `papermill.engines.NBClientEngine` for the options."""
        allowed = {"startup_timeout": options.pop("start_timeout", 60), "kernel_name": kernel_name}
        allowed["timeout"] = options.pop("execution_timeout", None)
        kept = ("stdout_file", "stderr_file", "log_output")
        allowed |= {key: options[key] for key in kept if key in options}
        client = LectureClient(nb_man, listener=listener, **allowed)
        # What the kernel's process says itself (a crash, a warning) belongs in the log, not in the terminal.
        return client.execute(stderr=options.get("stderr_file"))


class LectureClient(PapermillNotebookClient):
    """Papermill's client, reporting to a listener."""

    def __init__(self, nb_man: Any, listener: Listener | None = None, **options: Any) -> None:
        super().__init__(nb_man, **options)
        code_cells = [index for index, cell in enumerate(self.nb.cells) if cell.cell_type == "code"]
        self._number = {index: number for number, index in enumerate(code_cells, start=1)}
        self._listener = listener or (lambda step: None)
        self._step = Step(0, len(code_cells))
        self._listener(self._step)

    def process_message(self, message: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Handle one message of the kernel, and tell the listener what it shows."""
        printed = _last_line(message.get("content", {})) or self._step.printed
        step = Step(self._number.get(cell_index, 0), self._step.cells, printed)
        if step != self._step:
            self._step = step
            self._listener(step)
        return super().process_message(message, cell, cell_index)


def _last_line(content: dict[str, Any]) -> str:
    text = content.get("text") or content.get("data", {}).get("text/plain") or ""
    # A progress bar redraws its line after a carriage return; the last drawing is the one to show.
    lines = [line.strip() for line in str(text).replace("\r", "\n").splitlines()]
    shown = [line for line in lines if line and not line.startswith("<Figure")]
    return shown[-1] if shown else ""
