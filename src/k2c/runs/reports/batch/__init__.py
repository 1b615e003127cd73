"""What a batch of runs leaves behind: a table, a page with plots, and the comparison of two batches."""

from k2c.runs.reports.batch.compare import compare_batches
from k2c.runs.reports.batch.page import write_batch_report
from k2c.runs.reports.batch.table import Batch, read_batch_table, write_table

__all__ = ["Batch", "compare_batches", "read_batch_table", "write_batch_report", "write_table"]
