"""Two workers against one process with two threads, and the kit's workers against a plain DDP script."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import TensorDataset

from k2c._system.torchvision_compat import import_torchvision
from k2c.bench.comparison import Row, benchmark, spread, turns
from k2c.parallel import Experiment, Job, experiment, train
from k2c.parallel.experiments import optimizer_named

TURNS = 7  # how often the sides take turns
EPOCHS = 3  # a turn; the first one warms up
IMAGES, PIXELS, BATCH_SIZE, FINDINGS = 192, 64, 16, 14

# The same model, data, batches and optimiser, as a tutorial writes it: torchrun starts it.
PLAIN = """
import os, sys, time
import torch, torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler
from k2c.bench.parallel import bench_densenet
dist.init_process_group("gloo")
torch.set_num_threads(1)
made = bench_densenet()
model = DistributedDataParallel(made.model)
optimizer = made.optimizer(model.parameters())
sampler = DistributedSampler(made.train)
loader = DataLoader(made.train, batch_size=made.batch_size, sampler=sampler)
for epoch in range(made.epochs):
    start = time.perf_counter()
    sampler.set_epoch(epoch)
    for inputs, targets in loader:
        optimizer.zero_grad()
        made.loss(model(inputs), targets).backward()
        optimizer.step()
    if dist.get_rank() == 0:
        print("seconds", time.perf_counter() - start, flush=True)
dist.barrier()
dist.destroy_process_group()
sys.stdout.flush()
os._exit(0)
"""


@experiment("bench_densenet")
def bench_densenet(batch_size: int = BATCH_SIZE, epochs: int = EPOCHS, seed: int = 0) -> Experiment:
    """DenseNet-121 on noise: what counts is the time.

    Parameters
    ----------
    batch_size, epochs, seed
        See `Experiment`.
    """
    import_torchvision()
    from torchvision.models import densenet121

    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(IMAGES, 3, PIXELS, PIXELS, generator=generator)
    findings = (torch.rand(IMAGES, FINDINGS, generator=generator) < 0.1).float()
    return Experiment(
        model=densenet121(weights=None, num_classes=FINDINGS),
        train=TensorDataset(images, findings),
        loss=nn.BCEWithLogitsLoss(),
        optimizer=optimizer_named("momentum", 0.01),
        epochs=epochs,
        batch_size=batch_size,
    )


@benchmark("parallel")
def parallel() -> list[Row]:
    """Start each side several times in turns, and compare each turn's sides: this machine's pace may change."""
    sides = {"workers": _two_workers, "threads": _two_threads, "plain": _plain_script}
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns(TURNS)):
        for name, measure in sides.items():
            speeds[name].append(IMAGES / measure())
    how = (
        f"DenseNet-121, {PIXELS} x {PIXELS}, {BATCH_SIZE} images per worker and step; images per second: two "
        f"one-thread workers {spread(speeds['workers'])}, %s; {len(speeds['plain'])} starts in turns, the "
        f"median of {EPOCHS - 1} epochs each; the ratio is the median of the turns' ratios"
    )
    threads = (
        how % f"one process with two threads and batches of {2 * BATCH_SIZE} {spread(speeds['threads'])}"
    )
    plain = how % f"torchrun with a plain script {spread(speeds['plain'])}"
    return [
        _row("parallel: two workers against two threads", speeds, "threads", 0.95, threads),
        _row("parallel: the kit's workers against a plain DDP script", speeds, "plain", 0.97, plain),
    ]


def _row(name: str, speeds: dict[str, list[float]], reference: str, target: float, detail: str) -> Row:
    ratio = statistics.median(
        ours / theirs for ours, theirs in zip(speeds["workers"], speeds[reference], strict=True)
    )
    row = Row(
        name=name,
        ours=statistics.median(speeds["workers"]),
        reference=statistics.median(speeds[reference]),
        unit="images/s",
        ratio=ratio,
        target=target,
        ok=ratio >= target,
    )
    return row | {"detail": detail}


def _two_workers() -> float:
    return _middle(train("all_reduce", Job("bench_densenet"), 2)["seconds"])


def _two_threads() -> float:
    return _middle(
        train("single", Job("bench_densenet", {"batch_size": 2 * BATCH_SIZE}), 1, threads=2)["seconds"]
    )


def _plain_script() -> float:
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "plain.py"
        script.write_text(PLAIN)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--standalone",
                "--nproc-per-node=2",
                str(script),
            ],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
    return _middle(
        [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("seconds")]
    )


def _middle(seconds: list[float]) -> float:
    return statistics.median(seconds[1:])
