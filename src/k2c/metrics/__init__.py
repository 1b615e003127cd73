"""What is measured of predictions: accuracy, screening, several findings, calibration, intervals."""

from k2c.metrics.batchwise import accuracy, class_cross_entropy
from k2c.metrics.by_size import accuracy_by_size, difference_by_size
from k2c.metrics.calibration import calibration_error, fit_temperature, how_sure, reliability
from k2c.metrics.multilabel import multilabel_table
from k2c.metrics.paired import Comparison, compare, holm, mean_interval
from k2c.metrics.planted import planted_scores
from k2c.metrics.screening import (
    OperatingPoint,
    at_threshold,
    auc_interval,
    bootstrap_auc,
    operating_point,
    risk_groups,
    roc_auc,
    screening_costs,
    screening_row,
    screening_table,
)

__all__ = [
    "Comparison",
    "OperatingPoint",
    "accuracy",
    "accuracy_by_size",
    "at_threshold",
    "auc_interval",
    "bootstrap_auc",
    "calibration_error",
    "class_cross_entropy",
    "compare",
    "difference_by_size",
    "fit_temperature",
    "holm",
    "how_sure",
    "mean_interval",
    "multilabel_table",
    "operating_point",
    "planted_scores",
    "reliability",
    "risk_groups",
    "roc_auc",
    "screening_costs",
    "screening_row",
    "screening_table",
]
