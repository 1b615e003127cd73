"""The kit's experiments: points around centres, for tests and timings, and chest films, on which CheXNet trains.

What only chest films need is imported where they are asked for.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import TensorDataset

from k2c._system.paths import find_own
from k2c.errors import K2CError, unknown
from k2c.parallel.job import Experiment, Json, experiment

if TYPE_CHECKING:
    from k2c.datasets import LabelledImages

Parameters = Iterable[nn.Parameter]
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=0.9),
    "adam": torch.optim.Adam,
    "adadelta": torch.optim.Adadelta,  # with a learning rate of 1, as published (Zeiler, 2012)
}


def optimizer_named(name: str, learning_rate: float) -> Callable[[Parameters], torch.optim.Optimizer]:
    """Return what makes an optimiser of parameters: an experiment's `optimizer`.

    Raises
    ------
    K2CError
        For a name that none has.
    """
    if name not in OPTIMIZERS:
        raise K2CError(unknown("optimizer", name, OPTIMIZERS))
    return partial(OPTIMIZERS[name], lr=learning_rate)


def _dtype_named(name: str) -> torch.dtype:
    if name not in ("float32", "float64"):
        raise K2CError(f"dtype is {name!r}. Use 'float32' or 'float64'.")
    return torch.float32 if name == "float32" else torch.float64


@experiment("blobs")
def blobs(
    epochs: int = 3,
    batch_size: int = 16,
    examples: int = 400,
    hidden: int = 32,
    batch_norm: bool = False,
    optimizer: str = "sgd",
    learning_rate: float = 0.1,
    dtype: str = "float32",
    shuffle: bool = True,
    valid_examples: int = 100,
    measure_accuracy: bool = False,
    seed: int = 0,
) -> Experiment:
    """Points in 8 dimensions around 3 centres, and a network of one hidden layer.

    Parameters
    ----------
    epochs, batch_size, shuffle, seed
        See `Experiment`.
    examples, valid_examples
        How many points to train on, and to measure on (0: none).
    hidden
        Width of the hidden layer.
    batch_norm
        Whether it is batch-normalised, which makes the result depend on who sees which examples.
    optimizer, learning_rate
        See `optimizer_named`.
    measure_accuracy
        Whether to measure it on the validation points (torchmetrics takes seconds to start).
    dtype
        `"float32"` or `"float64"`.
    """
    number = _dtype_named(dtype)
    generator = torch.Generator().manual_seed(seed)  # of its own: every worker makes the same data
    targets = torch.randint(3, (examples + valid_examples,), generator=generator)
    centres = 2 * torch.randn(3, 8, generator=generator)
    inputs = (centres[targets] + torch.randn(len(targets), 8, generator=generator)).to(number)
    norm = [nn.BatchNorm1d(hidden)] if batch_norm else []
    model = nn.Sequential(nn.Linear(8, hidden), *norm, nn.Tanh(), nn.Linear(hidden, 3)).to(number)
    valid, metrics = None, {}
    if valid_examples:
        valid = TensorDataset(inputs[examples:], targets[examples:])
    if valid_examples and measure_accuracy:
        from k2c.metrics import accuracy

        metrics["accuracy"] = accuracy(3)
    return Experiment(
        model=model,
        train=TensorDataset(inputs[:examples], targets[:examples]),
        valid=valid,
        loss=nn.CrossEntropyLoss(),
        optimizer=optimizer_named(optimizer, learning_rate),
        metrics=metrics,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
    )


def films(
    source: str = "synthetic",
    labels: str = "",
    missing: str = "error",
    n_films: int = 1200,
    image_size: int = 64,
    enriched: float = 0.5,
    label_noise: float = 0.0,
    seed: int = 0,
) -> "tuple[LabelledImages, LabelledImages]":
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
    from k2c.datasets.chest.loading import SOURCES

    options = {
        "n": n_films, "size": image_size, "enriched": enriched, "label_noise": label_noise, "seed": seed,
    }  # fmt: skip
    # A folder is read again each time: its files may have changed while a kernel was open.
    split = _split_once if source in SOURCES else _split
    return split(source, labels, missing, seed, tuple(options.items()) if source == "synthetic" else ())


def _split(
    source: str, labels: str, missing: str, seed: int, options: tuple[tuple[str, Any], ...]
) -> "tuple[LabelledImages, LabelledImages]":
    from k2c.datasets import split_by_patient
    from k2c.datasets.chest.loading import load_chest

    data = load_chest(source, labels=labels, missing=missing, **dict(options))
    return split_by_patient(data, test_fraction=1 / 3, seed=seed)


_split_once = lru_cache(maxsize=4)(_split)


def _locate(parameters: dict[str, Json]) -> dict[str, Json]:
    """Make paths absolute: they start from where the user stands, and the workers may stand elsewhere."""
    from k2c.datasets.chest.loading import SOURCES

    source, labels = str(parameters.get("source", "synthetic")), str(parameters.get("labels", ""))
    if source in SOURCES:
        return parameters
    folder = find_own("source", source, [Path.cwd()], [*SOURCES])
    # As the loader has it, a file in the folder comes first.
    file = {"labels": str(find_own("labels", labels, [folder, Path.cwd()]))} if labels else {}
    return parameters | {"source": str(folder)} | file


def film_inputs(data: "LabelledImages", image_size: int) -> torch.Tensor:
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
    pretrained: bool = False,
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
    network, pretrained, bias
        See `chexnet`.
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
    from k2c.models.chexnet import chexnet
    from k2c.training import MultiLabelLoss

    number = _dtype_named(dtype)
    train, test = films(source, labels, missing, n_films, image_size, enriched, label_noise, seed)
    if n_used:
        train = train.subset(slice(n_used))
    model = chexnet(network, pretrained=pretrained, bias=bias, labels=train.labels).to(number)
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


@experiment("grid_head", _locate)
def grid_head(
    source: str = "synthetic",
    labels: str = "",
    missing: str = "error",
    n_films: int = 600,
    image_size: int = 64,
    enriched: float = 0.5,
    label_noise: float = 0.0,
    epochs: int = 12,
    batch_size: int = 64,
    optimizer: str = "adam",
    learning_rate: float = 3e-4,
    dtype: str = "float64",
    seed: int = 0,
) -> Experiment:
    """Train a linear layer for 14 findings on a frozen network's features of chest films, which keep their place.

    The inputs are the features, standardised, float (N, F): see `k2c.models.on_grid` and `untrained_head`.

    Parameters
    ----------
    source, labels, missing, n_films, image_size, enriched, label_noise, seed
        See `films`.
    epochs, batch_size
        See `Experiment`.
    optimizer, learning_rate
        See `optimizer_named`.
    dtype
        `"float32"` or `"float64"`, of the layer and its inputs.
    """
    from k2c.models import backbone, on_grid, pooled_features, untrained_head
    from k2c.training import MultiLabelLoss

    number = _dtype_named(dtype)
    train, _ = films(source, labels, missing, n_films, image_size, enriched, label_noise, seed)
    features = pooled_features(on_grid(backbone()), train, size=image_size)
    scale, linear = untrained_head(features, train.labels)
    with torch.no_grad():
        inputs = scale(torch.from_numpy(features)).to(number)
    return Experiment(
        model=linear.to(number),
        train=TensorDataset(inputs, torch.from_numpy(np.ascontiguousarray(train.labels)).to(number)),
        loss=MultiLabelLoss(),
        optimizer=optimizer_named(optimizer, learning_rate),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
    )


def _tensors(data: "LabelledImages", image_size: int, number: torch.dtype) -> TensorDataset:
    labels = torch.from_numpy(np.ascontiguousarray(data.labels)).to(number)
    return TensorDataset(film_inputs(data, image_size).to(number), labels)
