"""Every random generator that training draws from: save them, and put them back."""

import random
from typing import Any

import numpy as np
import torch

from k2c.training.evaluate import Batches


def random_state() -> dict[str, Any]:
    """Return the state of Python's, NumPy's and torch's global generators as tensors and numbers."""
    version, words, gauss = random.getstate()
    name, key, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 the global one is meant
    state: dict[str, Any] = {
        "python": [version, torch.tensor(words, dtype=torch.int64), gauss],
        "numpy": [name, torch.from_numpy(np.asarray(key).astype(np.int64)), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Put the generators into the state that `random_state` returned."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    name, key, *rest = state["numpy"]
    np.random.set_state((name, key.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"][: torch.cuda.device_count()])
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"])


def loader_generators(batches: Batches | None) -> list[torch.Generator]:
    """Return the generators that a `DataLoader` or its sampler was given (not torch's global one)."""
    parts = (batches, getattr(batches, "sampler", None))
    owned = [getattr(part, "generator", None) for part in parts]
    # RandomSampler usually holds the loader's own generator; keep it once.
    return list({id(g): g for g in owned if isinstance(g, torch.Generator)}.values())
