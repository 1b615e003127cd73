"""Training: the fit loop, callbacks, checkpoints, loaders and evaluation."""

from k2c.training.callbacks import Callback, EarlyStop, EveryNEpochs
from k2c.training.checkpoint import Checkpoint, latest, load_checkpoint
from k2c.training.device import keep_freed_memory, pick_device
from k2c.training.errors import CancelEpoch, CancelFit, CheckpointError, TrainingDiverged
from k2c.training.evaluate import evaluate, predict
from k2c.training.fitting import fit
from k2c.training.history import History
from k2c.training.learner import Learner
from k2c.training.loaders import InMemoryLoader
from k2c.training.metrics import accuracy, import_torchmetrics
from k2c.training.progress import LivePlot, Progress
from k2c.training.schedule import LearningRateSchedule, cosine

__all__ = [
    "Callback",
    "CancelEpoch",
    "CancelFit",
    "Checkpoint",
    "CheckpointError",
    "EarlyStop",
    "EveryNEpochs",
    "History",
    "InMemoryLoader",
    "Learner",
    "LearningRateSchedule",
    "LivePlot",
    "Progress",
    "TrainingDiverged",
    "accuracy",
    "cosine",
    "evaluate",
    "fit",
    "import_torchmetrics",
    "keep_freed_memory",
    "latest",
    "load_checkpoint",
    "pick_device",
    "predict",
]
