"""Spark forks the processes of its tasks from this one, which has imported what they need."""

from pyspark.daemon import manager

import k2c.parallel.experiments
import k2c.parallel.spark_driver  # noqa: F401

if __name__ == "__main__":
    manager()
