"""Do camera and crop give the label away? A classifier that sees nothing of the eye tries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from k2c.datasets.field_of_view import field_of_view
from k2c.datasets.images import ImageArray

# What the classifier sees, and which columns of `traits` that is.
TRAITS = {
    "the size of the file's image": [0, 1, 2],
    "the fraction of the surround": [3, 4],
    "the mean colour": [5, 6, 7],
}
SIDE = 100  # pixels about; enough for the surround and the colour
FOLDS = 5
FEWEST = 10  # patients with and without, below which nothing can be said
SURE = 4.0  # standard deviations that the AUC must lie above chance


@dataclass(frozen=True)
class Shortcut:
    """How well the label can be told without looking at the eye.

    Attributes
    ----------
    auc
        Area under the ROC curve, out of fold by patient; 0.5 is chance.
    sigma
        Standard deviation of the AUC if the traits told nothing.
    by_trait
        The AUC of each group of traits alone.
    """

    auc: float
    sigma: float
    by_trait: dict[str, float]

    def beyond(self, auc: float) -> bool:
        """Tell whether the AUC, of all traits or one group, lies above `auc` and surely above chance."""
        best = max(self.auc, *self.by_trait.values())
        return best >= auc and best - 0.5 > SURE * self.sigma

    @property
    def best(self) -> tuple[str, float]:
        """The group of traits that tells most, and its AUC."""
        return max(self.by_trait.items(), key=lambda item: item[1])


def traits(image: ImageArray, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Return what is known of an image without looking at the eye: float64 (8,).

    Parameters
    ----------
    image
        uint8 (H, W, 3) or (H, W), as a network would get it; reduced in size is enough.
    size
        Height and width of the file's image.
    """
    height, width = size
    shape = image.shape[0] / image.shape[1]
    image = np.asarray(Image.fromarray(image).reduce(max(1, max(image.shape[:2]) // SIDE)))
    seen = field_of_view(image)
    mean = np.broadcast_to(image[seen].mean(axis=0), 3)
    return np.array([np.log(height), np.log(width), height / width, 1 - seen.mean(), shape, *mean])


def find_shortcut(
    traits: NDArray[np.float64], labels: NDArray[np.bool_], patients: NDArray[np.str_]
) -> Shortcut | None:
    """Try to tell the label from the traits; None where there are too few patients to say.

    Parameters
    ----------
    traits
        float64 (N, 8).
    labels, patients
        (N,).
    """
    # Not at the top: scikit-learn takes a second to import, and loading data does not need it.
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    positive, negative = (len(np.unique(patients[labels == value])) for value in (True, False))
    if min(positive, negative) < FEWEST:
        return None
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(traits, labels, patients))

    leaf = max(5, len(labels) // 25)

    def auc(columns: list[int]) -> float:
        if not np.ptp(traits[:, columns], axis=0).any():
            return 0.5
        tree = DecisionTreeClassifier(min_samples_leaf=leaf, class_weight="balanced", random_state=0)
        scores = cross_val_predict(tree, traits[:, columns], labels, cv=folds, method="predict_proba")
        return float(roc_auc_score(labels, scores[:, 1]))

    everything = sorted(column for columns in TRAITS.values() for column in columns)
    # Of the Mann-Whitney statistic; patients are counted, since two eyes of one tell little more than one.
    sigma = float(np.sqrt((positive + negative + 1) / (12 * positive * negative)))
    return Shortcut(auc(everything), sigma, {name: auc(columns) for name, columns in TRAITS.items()})
