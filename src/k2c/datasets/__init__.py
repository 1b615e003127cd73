"""Where examples come from: the registry of data sets, a loader for each, and the contract for images."""

from k2c.datasets.audit import Audit, Finding, audit
from k2c.datasets.fetching import FetchError, damaged, fetch, is_cached, local_path, verify
from k2c.datasets.field_of_view import crop_to_eye, field_of_view
from k2c.datasets.image_folder import load_images
from k2c.datasets.images import ImageError, read_image, read_images, resize
from k2c.datasets.labelled import LabelledImages
from k2c.datasets.medmnist import load_medmnist
from k2c.datasets.mnist import Digits, DigitSplits, load_mnist, to_inputs
from k2c.datasets.photographs import SAMPLES, labelled_photographs, own_photographs, sample_photograph
from k2c.datasets.quality import Quality, image_quality, quality_scores
from k2c.datasets.registry import Entry, Registry, entries, read_registry
from k2c.datasets.sources import ArraySource, FileSource, ImageSource
from k2c.datasets.spam import Messages, load_spam
from k2c.datasets.splits import folds_by_patient, split_by_patient

__all__ = [
    "SAMPLES",
    "ArraySource",
    "Audit",
    "DigitSplits",
    "Digits",
    "Entry",
    "FetchError",
    "FileSource",
    "Finding",
    "ImageError",
    "ImageSource",
    "LabelledImages",
    "Messages",
    "Quality",
    "Registry",
    "audit",
    "crop_to_eye",
    "damaged",
    "entries",
    "fetch",
    "field_of_view",
    "folds_by_patient",
    "image_quality",
    "is_cached",
    "labelled_photographs",
    "load_images",
    "load_medmnist",
    "load_mnist",
    "load_spam",
    "local_path",
    "own_photographs",
    "quality_scores",
    "read_image",
    "read_images",
    "read_registry",
    "resize",
    "sample_photograph",
    "split_by_patient",
    "to_inputs",
    "verify",
]
