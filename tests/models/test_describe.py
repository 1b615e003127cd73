"""What a network costs is counted, not estimated."""

import torch

from k2c.models import count_operations


def test_operations_are_counted_without_views():
    weight, inputs = torch.ones(3, 2), torch.ones(4, 3)
    assert count_operations(lambda: (inputs @ weight).relu().view(8).sum()) == 3
