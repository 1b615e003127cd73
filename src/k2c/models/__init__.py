"""Models: from counting words to deep networks."""

from k2c.models.describe import layer_table
from k2c.models.lenet import LeNet

__all__ = ["LeNet", "layer_table"]
