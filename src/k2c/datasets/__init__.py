"""Where examples come from: the registry of data sets, and a loader for each."""

from k2c.datasets.faults import FetchError
from k2c.datasets.fetching import fetch, is_cached, local_path, verify
from k2c.datasets.mnist import Digits, DigitSplits, load_mnist, to_inputs
from k2c.datasets.registry import Entry, Registry, entries, read_registry
from k2c.datasets.spam import Messages, load_spam

__all__ = [
    "DigitSplits",
    "Digits",
    "Entry",
    "FetchError",
    "Messages",
    "Registry",
    "entries",
    "fetch",
    "is_cached",
    "load_mnist",
    "load_spam",
    "local_path",
    "read_registry",
    "to_inputs",
    "verify",
]
