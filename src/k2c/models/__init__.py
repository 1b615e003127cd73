"""Models: from counting words to deep networks."""

from k2c.models.backbones import Backbone, backbone, backbone_table, chest_backbone
from k2c.models.catalogue import CHEST_CLASSES
from k2c.models.chexnet import CheXNet, chexnet, first_loss
from k2c.models.class_maps import AnswerGraph, Answers
from k2c.models.classify import image_logits, top_classes
from k2c.models.describe import block_table, count_operations, layer_table
from k2c.models.explain import (
    fast_gradient_sign,
    feature_maps,
    first_filters,
    grad_cam,
    occlusion,
    share_inside,
    with_random_weights,
)
from k2c.models.feature_cache import pooled_features, variant_features
from k2c.models.features import cell_histograms, gradients, hog
from k2c.models.grid import evidence, on_grid, train_head, untrained_head
from k2c.models.imagenet import class_index, imagenet_classes
from k2c.models.inside import enlarged, evidence_inside
from k2c.models.lenet import LeNet, LeNet5
from k2c.models.model_card import ModelCard
from k2c.models.naive_bayes import NaiveBayes
from k2c.models.own_classifier import OwnClassifier, imagenet_classifier, load_classifier
from k2c.models.prediction import predict_folder
from k2c.models.preprocessing import Preprocessing
from k2c.models.rules import RuleFilter
from k2c.models.transfer import TransferModel
from k2c.models.views import square_of
from k2c.models.weights import WeightsError

__all__ = [
    "CHEST_CLASSES",
    "AnswerGraph",
    "Answers",
    "Backbone",
    "CheXNet",
    "LeNet",
    "LeNet5",
    "ModelCard",
    "NaiveBayes",
    "OwnClassifier",
    "Preprocessing",
    "RuleFilter",
    "TransferModel",
    "WeightsError",
    "backbone",
    "backbone_table",
    "block_table",
    "cell_histograms",
    "chest_backbone",
    "chexnet",
    "class_index",
    "count_operations",
    "enlarged",
    "evidence",
    "evidence_inside",
    "fast_gradient_sign",
    "feature_maps",
    "first_filters",
    "first_loss",
    "grad_cam",
    "gradients",
    "hog",
    "image_logits",
    "imagenet_classes",
    "imagenet_classifier",
    "layer_table",
    "load_classifier",
    "occlusion",
    "on_grid",
    "pooled_features",
    "predict_folder",
    "share_inside",
    "square_of",
    "top_classes",
    "train_head",
    "untrained_head",
    "variant_features",
    "with_random_weights",
]
