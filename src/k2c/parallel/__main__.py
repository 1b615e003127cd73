"""What a worker process runs: `python -m k2c.parallel FOLDER [train|spark|measure|serve]`."""

import importlib
import sys

# `spark`: a worker that Spark's TorchDistributor started.
# `serve`: a worker or a server of `parameter_server`, as its rank says.
TASKS = {
    "train": "k2c.parallel.worker",
    "spark": "k2c.parallel.worker",
    "measure": "k2c.parallel.measure",
    "serve": "k2c.parallel.server_worker",
}


def main() -> int:
    """Do the task that the arguments name; returns the exit status."""
    task = sys.argv[2] if len(sys.argv) > 2 else "train"
    return importlib.import_module(TASKS[task]).main()


if __name__ == "__main__":
    from k2c.parallel.five_steps import exit_now

    exit_now(main())
