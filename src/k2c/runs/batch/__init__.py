"""Batches: one lecture run many times, over a sweep of its parameters."""

from k2c.runs.batch.file import BatchFile, read_batch
from k2c.runs.batch.plan import BatchPlan, PlannedRun, plan_batch, read_plan
from k2c.runs.batch.run import BatchProgress, run_batch
from k2c.runs.batch.store import Store

__all__ = [
    "BatchFile",
    "BatchPlan",
    "BatchProgress",
    "PlannedRun",
    "Store",
    "plan_batch",
    "read_batch",
    "read_plan",
    "run_batch",
]
