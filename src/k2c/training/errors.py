"""What can go wrong in training, as sentences; and how a callback cancels."""

from k2c.errors import K2CError


class TrainingDiverged(K2CError):
    """The loss became NaN or infinite; the message says where, why that is likely and what to try."""


class CheckpointError(K2CError):
    """A checkpoint is missing, damaged, or belongs to another model, optimiser or set of callbacks."""


class CancelEpoch(Exception):
    """Raised by a callback to skip the rest of this epoch's batches; the epoch is measured as usual."""


class CancelFit(Exception):
    """Raised by a callback to end the training; its message becomes `History.stopped`."""
