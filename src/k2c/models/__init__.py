"""Models: from counting words to deep networks."""

from k2c.models.describe import layer_table
from k2c.models.lenet import LeNet
from k2c.models.naive_bayes import NaiveBayes
from k2c.models.rules import RuleFilter

__all__ = ["LeNet", "NaiveBayes", "RuleFilter", "layer_table"]
