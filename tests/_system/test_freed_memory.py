"""Memory that a computation frees is kept while it runs, and is the system's again when it ends."""

import sys

import psutil
import pytest
import torch

from k2c._system.freed_memory import keep_freed_memory

SIZE = 100 << 20  # bytes


def resident() -> int:
    return psutil.Process().memory_info().rss


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is one of Linux's C library")
def test_what_is_freed_in_the_block_is_kept_until_its_end() -> None:
    with keep_freed_memory() as is_set:
        if not is_set:
            pytest.skip("another C library than glibc")
        filled = torch.ones(SIZE, dtype=torch.uint8)
        full = resident()
        del filled
        kept = resident()
    assert full - kept < SIZE / 2
    assert full - resident() > SIZE / 2


def test_the_inputs_of_a_data_set_are_returned_at_once_outside_the_block() -> None:
    with keep_freed_memory() as is_set:
        if not is_set:
            pytest.skip("another C library than glibc")
    filled = torch.ones(SIZE, dtype=torch.uint8)
    full = resident()
    del filled
    assert full - resident() > SIZE / 2
