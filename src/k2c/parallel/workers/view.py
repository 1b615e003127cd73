"""One live view of all workers: a bar each."""

from types import TracebackType
from typing import Any

from k2c.parallel.workers.supervise import WorkerState


class LiveView:
    """A progress bar a worker: widgets in a notebook, lines of text in a terminal.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._bars: list[Any] = []

    def __enter__(self) -> "LiveView":
        from tqdm.auto import tqdm

        self._bars = [
            tqdm(desc=f"worker {rank}: starting", position=rank, unit="batch") for rank in range(self.workers)
        ]
        return self

    def __call__(self, states: list[WorkerState]) -> None:
        """Show where the workers are."""
        for state, bar in zip(states, self._bars, strict=True):
            restarted = f", restart {state.attempt}" if state.attempt else ""
            bar.set_description(f"worker {state.rank}: {state.status}{restarted}", refresh=False)
            if not state.batches:
                continue
            bar.total = state.batches
            bar.n = state.batches if state.status == "done" else state.batch + 1
            shown: dict[str, Any] = {"epoch": state.epoch + 1}
            if state.loss == state.loss:
                shown["loss"] = f"{state.loss:.4f}"
            bar.set_postfix(shown, refresh=False)
            bar.refresh()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in self._bars:
            bar.close()
