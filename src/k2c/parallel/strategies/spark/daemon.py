"""Spark forks the processes of its tasks from this one, which has imported what workers need."""

from pyspark.daemon import manager

from k2c._system.forkserver.server import preload
from k2c.parallel.workers.start import MODULES

if __name__ == "__main__":
    preload([*MODULES, "k2c.parallel.strategies.spark.driver"])
    manager()
