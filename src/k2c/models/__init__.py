"""Models: from counting words to deep networks."""

from k2c.models.backbones import Backbone, backbone, backbone_table
from k2c.models.chexnet import CheXNet, chexnet
from k2c.models.describe import layer_table
from k2c.models.feature_cache import pooled_features, variant_features
from k2c.models.lenet import LeNet
from k2c.models.naive_bayes import NaiveBayes
from k2c.models.preprocessing import Preprocessing
from k2c.models.rules import RuleFilter
from k2c.models.transfer import TransferModel
from k2c.models.weights import WeightsError

__all__ = [
    "Backbone",
    "CheXNet",
    "LeNet",
    "NaiveBayes",
    "Preprocessing",
    "RuleFilter",
    "TransferModel",
    "WeightsError",
    "backbone",
    "backbone_table",
    "chexnet",
    "layer_table",
    "pooled_features",
    "variant_features",
]
