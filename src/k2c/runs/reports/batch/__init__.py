"""What a batch of runs leaves behind: a table and a page with plots. `compare` compares two batches."""

from k2c.runs.reports.batch.page import write_batch_report
from k2c.runs.reports.batch.table import Batch, read_batch_table, write_table

__all__ = ["Batch", "read_batch_table", "write_batch_report", "write_table"]
