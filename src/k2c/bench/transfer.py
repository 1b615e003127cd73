"""Transfer learning: cached features against recomputed ones, and the kit's way through a backbone against a loop."""

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data as samples
from torch import nn

from k2c._system.torchvision_compat import import_torchvision
from k2c.bench.comparison import Row, Side, alternate, benchmark, spread, time_row, turns, two_sides
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.sources import FileSource
from k2c.models import TransferModel, backbone, pooled_features
from k2c.training import InMemoryLoader, Learner

IMAGES = 128
HEIGHT, WIDTH = 375, 500  # the commonest size of an ImageNet photograph
BATCH_SIZE = 32
TURNS = 3
# Two ways through one network differ by rounding: these fractions of the largest feature and of the loss are "equal".
EQUAL_FEATURES, EQUAL_LOSS = 1e-4, 1e-3

_epoch: Callable[[], float]
_features: Callable[[], NDArray[np.float32]]
_computed: NDArray[np.float32]


@benchmark("transfer")
def transfer() -> list[Row]:
    """Measure both figures in turns on the same JPEG files, and compare what the two sides computed."""
    with tempfile.TemporaryDirectory(prefix="k2c-bench-") as name:
        folder = Path(name)
        _write_photographs(folder)
        with two_sides() as (ours, reference):
            rows = _cached_against_recomputed(ours, reference, folder)
        with two_sides() as (ours, reference):
            return rows + _kit_against_loop(ours, reference, folder)


def _cached_against_recomputed(ours: Side, reference: Side, folder: Path) -> list[Row]:
    threads = ours(_start_head, folder, True)
    reference(_start_head, folder, False)
    for side in (ours, reference):  # the first computes what is cached; the other warms up
        side(_one_epoch)
    times = alternate(lambda: ours(_one_epoch)[0], lambda: reference(_one_epoch)[0], turns(TURNS))
    losses = ours(_one_epoch)[1], reference(_one_epoch)[1]
    detail = (
        f"the head on {IMAGES} photographs, batches of {BATCH_SIZE}, {threads} threads, Adam; features from the "
        f"cache against features computed in every epoch by the kit's fast way; {len(times[0])} epochs in turns: "
        f"{_ms(times[0])} ms against {_ms(times[1])} ms"
    )
    name = "transfer: an epoch of the head"
    same = f"after {len(times[0]) + 2} epochs on each side; equal within {EQUAL_LOSS:g} of it"
    difference = abs(losses[0] - losses[1]) / losses[1]
    return [
        time_row(name, times, target=50.0, detail=detail),
        _equal("transfer: the head's loss", losses[0], losses[1], difference <= EQUAL_LOSS, same),
    ]


def _kit_against_loop(ours: Side, reference: Side, folder: Path) -> list[Row]:
    threads = ours(_start_kit, folder)
    reference(_start_loop, folder)
    for side in (ours, reference):
        side(_seconds)
    times = alternate(partial(ours, _seconds), partial(reference, _seconds), turns(TURNS))
    computed = ours(_last), reference(_last)
    speeds = [spread([IMAGES / seconds for seconds in side]) for side in times]
    detail = (
        f"EfficientNet-Lite0 from {IMAGES} JPEG files of {WIDTH}x{HEIGHT}, {threads} threads; "
        f"{speeds[0]} against {speeds[1]} images per second, {len(times[0])} passes in turns. Ours: each "
        "thread reads and computes batches of 4, channels-last, normalisations folded; reference: file after "
        f"file, then a batch of {BATCH_SIZE} on all threads"
    )
    largest = [float(np.abs(features).max()) for features in computed]
    difference = float(np.abs(computed[0] - computed[1]).max()) / largest[1]
    same = (
        f"any feature of any image differs by at most {difference:.1g} of it; allowed is {EQUAL_FEATURES:g}"
    )
    return [
        time_row(f"transfer: features of {IMAGES} photographs", times, target=1.3, detail=detail),
        _equal("transfer: the largest feature", largest[0], largest[1], difference <= EQUAL_FEATURES, same),
    ]


def _equal(name: str, ours: float, reference: float, ok: bool, detail: str) -> Row:
    return Row(name=name, ours=ours, reference=reference, unit="", ratio=ours / reference, target=1.0, ok=ok,
               detail=detail)  # fmt: skip


def _ms(times: list[float]) -> str:
    return spread([1e3 * seconds for seconds in times])


def _write_photographs(folder: Path) -> None:
    """Write cuts of scikit-image's photographs, each somewhere else, as a camera's JPEG files."""
    random = np.random.default_rng(0)
    photographs = [Image.fromarray(made()) for made in (samples.astronaut, samples.coffee, samples.rocket)]
    for number in range(IMAGES):
        photograph = photographs[number % len(photographs)]
        width = int(photograph.width * random.uniform(0.5, 0.85))
        height = width * HEIGHT // WIDTH
        left = int(random.integers(0, photograph.width - width))
        top = int(random.integers(0, photograph.height - height))
        cut = photograph.resize((WIDTH, HEIGHT), box=(left, top, left + width, top + height))
        cut.save(folder / f"{number:04d}.jpg", quality=92)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jpg"))


def _images(folder: Path) -> LabelledImages:
    files = _files(folder)
    table = pd.DataFrame(
        {"image": [file.stem for file in files], "patient": "", "label": np.arange(len(files)) % 2}
    )
    return LabelledImages(table, FileSource(files), ("even", "odd"))


def _start_head(folder: Path, cached: bool) -> int:
    """Set up epochs of training the head, which start with getting the features."""
    global _epoch
    os.environ["K2C_DATA"] = str(folder / "cache")
    data, network = _images(folder), backbone()
    torch.manual_seed(0)
    head = TransferModel(network).head
    labels = torch.tensor(data.labels)
    empty = InMemoryLoader(torch.empty(len(labels), network.n_features), labels, BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-3)
    learner = Learner(head, empty, loss=nn.CrossEntropyLoss(), optimizer=optimizer, epochs=0, device="cpu")

    def one_more() -> float:
        empty.inputs = torch.from_numpy(pooled_features(network, data, cache=cached))
        learner.epochs += 1
        return float(learner.fit().rows[-1]["train_loss"])

    _epoch = one_more
    return torch.get_num_threads()


def _one_epoch() -> tuple[float, float]:
    """Train for an epoch; return its seconds and its loss."""
    start = time.perf_counter()
    loss = _epoch()
    return time.perf_counter() - start, loss


def _start_kit(folder: Path) -> int:
    global _features
    data, network = _images(folder), backbone()
    _features = partial(pooled_features, network, data, cache=False)
    return torch.get_num_threads()


def _start_loop(folder: Path) -> None:
    """Set up the loop that tutorials show."""
    global _features
    import_torchvision()
    from torchvision import transforms

    network, files = backbone(), _files(folder)
    about = network.preprocessing
    prepare = transforms.Compose(
        [
            transforms.Resize((about.size, about.size), transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize(about.mean, about.std),
        ]
    )

    def loop() -> NDArray[np.float32]:
        found = []
        with torch.no_grad():
            for start in range(0, len(files), BATCH_SIZE):
                names = files[start : start + BATCH_SIZE]
                batch = torch.stack([prepare(Image.open(name).convert("RGB")) for name in names])
                found.append(network(batch))
        return torch.cat(found).numpy()

    _features = loop


def _seconds() -> float:
    global _computed
    start = time.perf_counter()
    _computed = _features()
    return time.perf_counter() - start


def _last() -> NDArray[np.float32]:
    return _computed
