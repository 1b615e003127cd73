"""Spark forks the processes of its tasks from this one, which has imported what workers need."""

from pyspark.daemon import manager

from k2c.forkserver.server import preload
from k2c.parallel.start import MODULES

if __name__ == "__main__":
    preload([*MODULES, "k2c.parallel.spark_driver"])
    manager()
