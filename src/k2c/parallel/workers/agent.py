"""Start the workers and restart them when one dies: torchrun's elastic agent, in a process of its own.

Its arguments are FOLDER WORKERS RESTARTS [TASK]. It does not run inside the notebook's own process: the agent installs
signal handlers, and must end with the notebook, however that ends.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from k2c.parallel import __main__ as worker
from k2c.parallel.workers.five_steps import exit_now
from k2c.parallel.workers.messages import DRIVER, Messenger

_SECONDS_TO_STOP = 10
_HANDLED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")  # by the agent


def main() -> int:
    """Run the workers as forks of this process; 0 when all of them ended well."""
    return _run(_be_worker)


def _be_worker(*arguments: str) -> None:
    """Be a worker, in a fork of the agent."""
    for name in _HANDLED:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    sys.argv[1:] = arguments
    if status := worker.main():
        exit_now(status)


def _run(entry: Callable[..., None] | str, *before: str) -> int:
    """Run the workers: `entry` with the words `before`, the run's folder and the task."""
    # The agents of several machines would meet in a store that listens; the only one here meets itself in a file.
    # A store that is shared over restarts still holds the addresses of workers that are dead, and new ones wait
    # for them for ever (known in torch 2.5 to 2.13); a new store each time does not.
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    folder, workers, restarts = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    task = sys.argv[4] if len(sys.argv) > 4 else "train"
    messenger = Messenger(folder / "messages", DRIVER)
    _end_with_the_parent()
    meeting = tempfile.NamedTemporaryFile(prefix="k2c-agent-")  # noqa: SIM115 it goes with this process
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=workers,
        run_id=f"k2c-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint=meeting.name,
        rdzv_configs={"store_type": "file"},
        max_restarts=restarts,
        monitor_interval=0.1,
        local_addr="127.0.0.1",
        start_method="fork",
        logs_specs=DefaultLogsSpecs(log_dir=str(folder / "logs")),
    )
    try:
        elastic_launch(config, entry)(*before, str(folder), task)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        messenger.event("gave up", worker=rank, status=failure.exitcode, signal=failure.signal_name())
        return 1
    except SignalException:
        return 130
    return 0


def _end_with_the_parent() -> None:
    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)  # the agent then stops its workers
        time.sleep(_SECONDS_TO_STOP)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    # Where processes cannot be forked, each worker is a Python of its own.
    exit_now(_run(sys.executable, "-m", "k2c.parallel"))
