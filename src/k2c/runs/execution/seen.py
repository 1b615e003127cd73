"""What is seen of a notebook while it runs; light, for those who only look."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from k2c._system.forkserver import ForkServer


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
    epoch
        What `fit` measured after an epoch, told once.
    """

    cell: int
    cells: int
    printed: str = ""
    epoch: Mapping[str, float] | None = None


Listener = Callable[[Step], None]


@dataclass
class Execution:
    """One execution of a notebook, from the outside: what to tell, and what there is to see.

    Attributes
    ----------
    folder
        The kernel's working folder; that of this process when it is None.
    listener
        Told of every cell and every printed line.
    server
        Forks the kernel; an ordinary kernel is started when it is None.
    environment
        The kernel's environment; that of this process when it is None.
    asides
        Whether cells that begin as asides run; the kernel would skip them, too, and each would cost a message or ten.
    notebook
        The notebook with the outputs so far.
    cell
        The cell that runs or ran last, an index into the notebook's cells; None before the first.
    kernel
        The kernel's process, once it runs.
    started
        Set when it runs.
    epochs
        What `fit` measured after every epoch so far.
    """

    folder: str | None = None
    listener: Listener | None = None
    server: ForkServer | None = None
    environment: dict[str, str] | None = None
    asides: bool = True
    notebook: NotebookNode | None = None
    cell: int | None = None
    kernel: Any = None
    started: threading.Event = field(default_factory=threading.Event)
    epochs: list[Mapping[str, float]] = field(default_factory=list)
