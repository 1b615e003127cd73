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

if __name__ == "__main__":
    importlib.import_module(TASKS[sys.argv[2] if len(sys.argv) > 2 else "train"]).main()
