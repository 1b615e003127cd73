"""Training: the fit loop, callbacks, checkpoints, loaders and evaluation."""

from k2c.training.augment import GaussianNoise, OneVariant, Rotate180
from k2c.training.checkpoint import Checkpoint
from k2c.training.checkpoint_file import CheckpointError, latest, load_checkpoint
from k2c.training.device import cpu_threads, pick_device
from k2c.training.evaluate import evaluate, predict
from k2c.training.fitting import fit
from k2c.training.history import History
from k2c.training.learner import Callback, CancelEpoch, CancelFit, Learner, TrainingDiverged
from k2c.training.loaders import BalancedLoader, InMemoryLoader
from k2c.training.logs import CSVLog, TensorBoardLog
from k2c.training.losses import MultiLabelLoss, WeightedSoftmax, class_weights
from k2c.training.planted import PLANTED, planted_curves
from k2c.training.rate_search import RateSearch, find_learning_rate
from k2c.training.schedule import LearningRateSchedule

__all__ = [
    "PLANTED",
    "BalancedLoader",
    "CSVLog",
    "Callback",
    "CancelEpoch",
    "CancelFit",
    "Checkpoint",
    "CheckpointError",
    "GaussianNoise",
    "History",
    "InMemoryLoader",
    "Learner",
    "LearningRateSchedule",
    "MultiLabelLoss",
    "OneVariant",
    "RateSearch",
    "Rotate180",
    "TensorBoardLog",
    "TrainingDiverged",
    "WeightedSoftmax",
    "class_weights",
    "cpu_threads",
    "evaluate",
    "find_learning_rate",
    "fit",
    "latest",
    "load_checkpoint",
    "pick_device",
    "planted_curves",
    "predict",
]
