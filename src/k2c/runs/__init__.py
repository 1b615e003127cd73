"""Lectures as runs: executed with checked parameters, collected, reported."""

from k2c.runs.execution.console import execute_all
from k2c.runs.execution.execute import Run, execute_run
from k2c.runs.execution.own_data import find_data
from k2c.runs.execution.refresh import refresh_notebook
from k2c.runs.execution.results import collect_results
from k2c.runs.execution.source import notebook_path, run_id
from k2c.runs.reports.pages import format_seconds
from k2c.runs.reports.run import what_was_read, write_report

__all__ = [
    "Run",
    "collect_results",
    "execute_all",
    "execute_run",
    "find_data",
    "format_seconds",
    "notebook_path",
    "refresh_notebook",
    "run_id",
    "what_was_read",
    "write_report",
]
