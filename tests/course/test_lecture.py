"""Opening a lecture seeds every random generator, and does not import torch for a lecture that has no use for it."""

import subprocess
import sys

OPENED = """
import random, sys
import numpy as np
import k2c
steps, rate, source, seed = 3, 0.5, "here", 7
for _ in range(2):  # as a student does who runs all cells again
    k2c.open_lecture("00_tiny", globals())
k2c.check("tiny.1", lambda a, b: a + b)
print("torch" in sys.modules, random.random(), np.random.rand())
import torch
print(torch.rand(1).item())
k2c.open_lecture("00_tiny", globals())
print(torch.rand(1).item())
"""


def test_torch_is_seeded_also_when_it_is_imported_later(tiny_course):
    import random

    import numpy as np
    import torch

    _, loaded, first, *drawn = subprocess.run(
        [sys.executable, "-c", OPENED], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    expected = torch.rand(1, generator=torch.Generator().manual_seed(7)).item()
    assert loaded == f"False {random.Random(7).random()} {np.random.RandomState(7).rand()}"
    assert [first, *drawn] == [str(expected)] * 2
