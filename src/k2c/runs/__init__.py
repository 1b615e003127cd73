"""Lectures as runs: executed with checked parameters, collected, reported."""

from k2c.runs.console import execute_all
from k2c.runs.execute import Run, execute_run
from k2c.runs.own_data import find_data
from k2c.runs.pages import format_seconds
from k2c.runs.refresh import refresh_notebook
from k2c.runs.report import what_was_read, write_report
from k2c.runs.results import collect_results
from k2c.runs.source import notebook_path, run_id

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
