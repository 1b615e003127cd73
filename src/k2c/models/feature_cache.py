"""Pooled features of images: computed fast, once, and kept in the cache."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm.auto import tqdm

from k2c._system.array_cache import kept_array
from k2c._system.freed_memory import keep_freed_memory
from k2c._system.paths import cache_dir
from k2c.datasets.images import in_parallel
from k2c.datasets.labelled import LabelledImages
from k2c.errors import K2CError
from k2c.models.backbones import Backbone
from k2c.models.folding import folded
from k2c.models.preprocessing import Preprocessing

Variant: TypeAlias = Callable[[Tensor], Tensor]
Run: TypeAlias = Callable[[Tensor], Tensor]
Images: TypeAlias = LabelledImages | NDArray[np.uint8]

# Images at once: on a processor so few that the maps of a batch stay in its cache.
BATCH_ON_CPU, BATCH_ELSEWHERE = 4, 64
_one_draws = threading.Lock()
_FORMAT = 1  # raise it when features that older code cached must not be used


def pooled_features(
    network: Backbone,
    data: Images,
    *,
    variant: Variant | None = None,
    seed: int = 0,
    size: int | None = None,
    cache: bool = True,
    batch_size: int | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Return the features of every image, from the cache when they were computed before.

    Each image is seen whole, squeezed into the network's square, not cropped as ImageNet's images are.
    The network runs in evaluation mode, on the device it is on, with its normalisations folded away. On a
    processor each thread reads and computes batches of its own: sharing the work of every layer instead makes
    threads wait for each other, for long when the machine is busy. For a GPU the threads read ahead.

    Parameters
    ----------
    network
        The frozen part. A change of its weights is noticed.
    data
        Images: a `LabelledImages`, or uint8 (N, H, W, 3) or (N, H, W). Labels play no role.
    variant
        An augmentation: takes and returns the network's input, float32 (N, 3, S, S). Its `repr` must say all of
        its settings, as it is part of the cache's key. What it draws from torch's generator is the same in
        every run, and leaves the generator as it was.
    seed
        Chooses what the variant draws.
    size
        Side of the square, in pixels, where it shall not be the network's own.
    cache
        Whether to look into the cache and to keep the result there (`features`, in the folder of the data).
    batch_size
        Images that go through the network at once: 4 on a processor, 64 elsewhere, when it is left out.
    workers
        Threads; as many as torch uses by default.
    progress
        Whether to show a progress bar.

    Returns
    -------
    numpy.ndarray
        float32 (N, n_features), in the order of the images; mapped from the file where there is one, so that
        opening it takes no time. Writing to the array does not change the file.

    Raises
    ------
    K2CError
        When an image cannot be read (`data.readable()` leaves those out) or the variant has no lasting name.
    """
    if batch_size is None:
        batch_size = BATCH_ON_CPU if _device(network).type == "cpu" else BATCH_ELSEWHERE
    if batch_size < 1:
        raise K2CError(f"batch_size is {batch_size}. It must be 1 or more.")
    preparation = network.preprocessing if size is None else replace(network.preprocessing, size=size)
    draw = None if variant is None else f"{_name(variant)}, seed {seed}, batches of {batch_size}"
    compute = _Features(network, data, preparation, variant, draw, batch_size, workers, progress)
    if not cache:
        return compute()
    shape = len(data), network.n_features

    def fits(array: NDArray[Any]) -> bool:
        return array.shape == shape and array.dtype == np.float32

    return kept_array(_file(network, data, preparation, draw), compute, fits, "features")


def variant_features(
    network: Backbone, data: Images, variants: Sequence[Variant | None], **options: Any
) -> NDArray[np.float32]:
    """Return the features of several variants of each image, float32 (N, len(variants), n_features).

    A training that takes one of them for each image, anew in every epoch, comes close to augmentation, and
    the backbone runs over the data only as often as there are variants.

    Parameters
    ----------
    network, data, **options
        As for `pooled_features`.
    variants
        None stands for the image as it is. The place in the list is the seed, so that the same noise given
        twice is drawn twice.
    """
    each = [
        pooled_features(network, data, variant=variant, seed=seed, **options)
        for seed, variant in enumerate(variants)
    ]
    return np.stack(each, axis=1)


@dataclass(frozen=True)
class _Features:
    """The computation behind `pooled_features`. `draw` says what the variant draws, None without one."""

    network: Backbone
    data: Images
    preparation: Preprocessing
    variant: Variant | None
    draw: str | None
    batch_size: int
    workers: int | None
    progress: bool

    def __call__(self) -> NDArray[np.float32]:
        features = np.empty((len(self.data), self.network.n_features), np.float32)
        bar = tqdm(total=len(features), desc="features", unit="image", leave=False, disable=not self.progress)
        with bar, keep_freed_memory(), _evaluated(self.network, self.preparation.size) as run:
            for start, found in self._batches(run):
                features[start : start + len(found)] = found
                bar.update(len(found))
        return features

    def _batches(self, run: Run) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield the number of each batch's first image and the features of the batch, in order."""
        starts, threads = range(0, len(self.data), self.batch_size), torch.get_num_threads()
        workers = self.workers or threads
        if _device(self.network).type != "cpu":
            for start, images in zip(starts, in_parallel(self._read, starts, workers), strict=True):
                yield start, self._compute(run, start, images)
            return

        def alone(start: int) -> NDArray[np.float32]:
            torch.set_num_threads(1)  # of this thread, and of threads that start later
            return self._compute(run, start, self._read(start))

        try:
            yield from zip(starts, in_parallel(alone, starts, workers), strict=True)
        finally:
            torch.set_num_threads(threads)

    def _read(self, start: int) -> NDArray[np.uint8]:
        rows = range(start, min(start + self.batch_size, len(self.data)))
        return np.stack([self.preparation.whole(self._image(row)) for row in rows])

    def _compute(self, run: Run, start: int, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        device = _device(self.network)
        with torch.inference_mode():
            inputs = self.preparation.normalise(torch.from_numpy(images).to(device))
            if self.variant is not None:
                with _drawing(f"{self.draw}, from image {start}", device):
                    inputs = self.variant(inputs)
            return run(inputs).cpu().numpy()

    def _image(self, row: int) -> NDArray[np.uint8]:
        if isinstance(self.data, np.ndarray):
            return self.data[row]
        return self.data.image(row, at_least=self.preparation.size)


@contextmanager
def _evaluated(network: Backbone, size: int) -> Iterator[Run]:
    """Yield the function from inputs to features, the network in evaluation mode."""
    training = network.training
    network.eval()
    trunk = folded(network.trunk, next(network.parameters()).new_zeros(1, 3, size, size))
    try:
        yield nn.Sequential(trunk, network.pool)
    finally:
        network.train(training)


@contextmanager
def _drawing(words: str, device: torch.device) -> Iterator[None]:
    """Seed torch's generators by what is drawn, and restore them. All threads share them, so one draws at a time."""
    seed = int.from_bytes(hashlib.sha256(words.encode()).digest()[:7], "big")
    with _one_draws, torch.random.fork_rng([device] if device.type == "cuda" else []):
        # not torch.manual_seed: it would reseed every GPU, and only this one's generator is restored
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _name(variant: Variant) -> str:
    name = repr(variant)
    if " at 0x" in name:  # the address in memory: another one in every run
        raise K2CError(
            f"The variant {name} has no name that lasts, so its features could not be found again. Use a module "
            "whose repr says its settings, such as k2c.training.GaussianNoise(0.2), or nn.Sequential of several."
        )
    return name


def _file(network: Backbone, data: Images, preparation: Preprocessing, draw: str | None) -> Path:
    content = _fingerprint(data) if isinstance(data, np.ndarray) else data.fingerprint()
    key = json.dumps([_FORMAT, network.weights_hash(), content, repr(preparation), draw])
    digest = hashlib.sha256(key.encode()).hexdigest()
    return cache_dir() / "features" / f"{network.name}-{digest[:24]}.npy"


def _fingerprint(images: NDArray[np.uint8]) -> str:
    digest = hashlib.sha256(f"{images.shape}".encode())
    digest.update(np.ascontiguousarray(images).data)
    return digest.hexdigest()
