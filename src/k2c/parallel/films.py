"""Chest films as an experiment: any strategy trains CheXNet on them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from k2c._system.own_path import find_own
from k2c.datasets import LabelledImages, split_by_patient
from k2c.datasets.chest.loading import SOURCES, load_chest
from k2c.errors import K2CError
from k2c.metrics.multilabel import MultiLabelLoss
from k2c.models.chexnet import chexnet
from k2c.parallel.job import Experiment, Json, experiment
from k2c.parallel.kit_experiments import optimizer_named


def films(
    source: str = "synthetic",
    labels: str = "",
    missing: str = "error",
    n_films: int = 1200,
    image_size: int = 64,
    enriched: float = 0.5,
    label_noise: float = 0.0,
    seed: int = 0,
) -> tuple[LabelledImages, LabelledImages]:
    """Return training and held-out films of different patients; a third is held out.

    Parameters
    ----------
    source
        As of `load_chest`. All parameters below but `seed` are of the synthetic films.
    labels, missing
        Of a folder: its CSV file, and what to do about rows without a film; see `chest_folder`.
    n_films, image_size, enriched, label_noise, seed
        See `synthetic_chest`.
    """
    options = {
        "n": n_films,
        "size": image_size,
        "enriched": enriched,
        "label_noise": label_noise,
        "seed": seed,
    }
    # A folder is read again each time: its files may have changed while a kernel was open.
    split = _split_once if source in SOURCES else _split
    return split(source, labels, missing, seed, tuple(options.items()) if source == "synthetic" else ())


def _split(
    source: str, labels: str, missing: str, seed: int, options: tuple[tuple[str, Any], ...]
) -> tuple[LabelledImages, LabelledImages]:
    data = load_chest(source, labels=labels, missing=missing, **dict(options))
    return split_by_patient(data, test_fraction=1 / 3, seed=seed)


_split_once = lru_cache(maxsize=4)(_split)


def _locate(parameters: dict[str, Json]) -> dict[str, Json]:
    """Make paths absolute: they start from where the user stands, and the workers may stand elsewhere."""
    source, labels = str(parameters.get("source", "synthetic")), str(parameters.get("labels", ""))
    if source in SOURCES:
        return parameters
    folder = find_own("source", source, [Path.cwd()], [*SOURCES])
    # As the loader has it, a file in the folder comes first.
    file = {"labels": str(find_own("labels", labels, [folder, Path.cwd()]))} if labels else {}
    return parameters | {"source": str(folder)} | file


def film_inputs(data: LabelledImages, image_size: int) -> torch.Tensor:
    """Return films as inputs, float32 (N, 1, S, S): each with mean 0 and standard deviation 1."""
    grey: NDArray[np.uint8] = data.images(image_size)
    inputs = torch.from_numpy(grey).float()
    if inputs.ndim == 4:  # in colour
        inputs = inputs.mean(dim=-1)
    spread, mean = torch.std_mean(inputs, dim=(1, 2), keepdim=True)
    return ((inputs - mean) / spread.clamp(min=1.0))[:, None]


@experiment("chest_films", _locate)
def chest_films(
    source: str = "synthetic",
    labels: str = "",
    missing: str = "error",
    n_films: int = 600,
    image_size: int = 64,
    enriched: float = 0.5,
    label_noise: float = 0.0,
    network: str = "small_densenet",
    bias: str = "prior",
    epochs: int = 3,
    batch_size: int = 16,
    n_used: int = 0,
    optimizer: str = "adadelta",
    learning_rate: float = 1.0,
    dtype: str = "float32",
    shuffle: bool = True,
    validate: bool = False,
    seed: int = 0,
) -> Experiment:
    """CheXNet on synthetic chest films, or on those of a folder: 14 findings.

    Parameters
    ----------
    source, labels, missing, n_films, image_size, enriched, label_noise, seed
        See `films`.
    shuffle
        See `Experiment`.
    network, bias
        See `chexnet`; without pretrained weights.
    epochs, batch_size
        See `Experiment`.
    n_used
        Train on the first so many films; 0: on all of the training films.
    optimizer, learning_rate
        See `optimizer_named`; Adadelta(1.0) as in the lecture's source.
    dtype
        `"float32"` or `"float64"`.
    validate
        Whether the held-out films' loss is measured after each epoch.
    """
    number = {"float32": torch.float32, "float64": torch.float64}.get(dtype)
    if number is None:
        raise K2CError(f"dtype is {dtype!r}. Use 'float32' or 'float64'.")
    train, test = films(source, labels, missing, n_films, image_size, enriched, label_noise, seed)
    if n_used:
        train = train.subset(slice(n_used))
    model = chexnet(network, pretrained=False, bias=bias, labels=train.labels).to(number)
    return Experiment(
        model=model,
        train=_tensors(train, image_size, number),
        valid=_tensors(test, image_size, number) if validate else None,
        loss=MultiLabelLoss(),
        optimizer=optimizer_named(optimizer, learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def _tensors(data: LabelledImages, image_size: int, number: torch.dtype) -> TensorDataset:
    labels = torch.from_numpy(np.ascontiguousarray(data.labels)).to(number)
    return TensorDataset(film_inputs(data, image_size).to(number), labels)
