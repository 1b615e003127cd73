"""Start the workers and restart them when one dies: torchrun's elastic agent, in a process of its own.

Its arguments are FOLDER WORKERS RESTARTS MODULE. It does not run inside the notebook's own process: the agent installs
signal handlers, and must end with the notebook, however that ends.
"""

import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from k2c.parallel.workers.lifeline import when_parent_ends
from k2c.parallel.workers.messages import DRIVER, Messenger
from k2c.parallel.workers.worker import exit_now

_SECONDS_TO_STOP = 10
_HANDLED = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")  # by the agent


def main() -> int:
    """Run the workers as forks of this process; 0 when all of them ended well."""
    return _run(_work, sys.argv[4])


def _work(module: str, folder: str) -> None:
    """Run a worker's module, in a fork of the agent."""
    for name in _HANDLED:
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    sys.argv[1:] = [folder]
    if status := importlib.import_module(module).main():
        exit_now(status)


def _run(entry: Callable[..., None] | str, *before: str) -> int:
    """Run the workers: `entry` with the words `before` and the run's folder."""
    # The agents of several machines would meet in a store that listens; the only one here meets itself in a file.
    # A store that is shared over restarts still holds the addresses of workers that are dead, and new ones wait
    # for them for ever (known in torch 2.5 to 2.13); a new store each time does not.
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
    folder, workers, restarts = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    messenger = Messenger(folder / "messages", DRIVER)
    when_parent_ends(_stop)
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
        elastic_launch(config, entry)(*before, str(folder))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        messenger.event("gave up", worker=rank, status=failure.exitcode, signal=failure.signal_name())
        return 1
    except SignalException:
        return 130
    return 0


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)  # the agent then stops its workers
    time.sleep(_SECONDS_TO_STOP)
    os._exit(1)


if __name__ == "__main__":
    # Where processes cannot be forked, each worker is a Python of its own.
    exit_now(_run(sys.executable, "-m", sys.argv[4]))
