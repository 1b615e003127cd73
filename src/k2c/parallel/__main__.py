"""What a worker process runs: `python -m k2c.parallel FOLDER [train|spark|measure|serve]`."""

import importlib
import sys

# `spark`: a worker that Spark's TorchDistributor started.
# `serve`: a worker or a server of `parameter_server`, as its rank says.
TASKS = {
    "train": "k2c.parallel.workers.worker",
    "spark": "k2c.parallel.workers.worker",
    "measure": "k2c.parallel.cost.measure",
    "serve": "k2c.parallel.strategies.parameter_server.worker",
}


def main() -> int:
    """Do the task that the arguments name; returns the exit status."""
    task = sys.argv[2] if len(sys.argv) > 2 else "train"
    return importlib.import_module(TASKS[task]).main()


if __name__ == "__main__":
    from k2c.parallel.workers.five_steps import exit_now

    exit_now(main())
