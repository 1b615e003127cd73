"""Batches: one lecture run many times, over a sweep of its parameters."""

from k2c.runs.batch.file import BatchFile, read_batch
from k2c.runs.batch.plan import Plan, PlannedRun, make_plan
from k2c.runs.batch.run import Progress, run_batch
from k2c.runs.batch.store import Store

__all__ = ["BatchFile", "Plan", "PlannedRun", "Progress", "Store", "make_plan", "read_batch", "run_batch"]
