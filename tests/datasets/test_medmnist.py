"""MedMNIST's files: fetched and checked, read without running anything, large ones mapped into memory."""

import hashlib
import io

import numpy as np
import pytest
import yaml

from k2c.datasets import FetchError, entries, fetch, load_medmnist, medmnist, read_registry
from k2c.datasets.fundus import load_fundus, retina_mnist
from k2c.errors import K2CError

NUMBERS = {"train": 6, "val": 3, "test": 4}


def npz(size: int = 28, grey: bool = False, **changes: np.ndarray) -> bytes:
    """The file of a tiny MedMNIST: image i is plain with the value i, and of grade i % 5."""
    arrays, start = {}, 0
    for split, number in NUMBERS.items():
        values = np.arange(start, start + number)
        images = np.ones((number, size, size) if grey else (number, size, size, 3), np.uint8)
        arrays[f"{split}_images"] = images * values.reshape(-1, *[1] * (images.ndim - 1)).astype(np.uint8)
        arrays[f"{split}_labels"] = (values % 2)[:, None].repeat(14, 1) if grey else (values % 5)[:, None]
        start += number
    file = io.BytesIO()
    np.savez_compressed(file, **(arrays | changes))
    return file.getvalue()


@pytest.fixture
def serve(server, home):
    """Put a file on the local server and into the registry, as MedMNIST's are: MD5 known, size not."""

    def register(dataset_id: str, content: bytes):
        name = f"{dataset_id.replace('-', '_')}.npz"
        server.files[f"/{name}?download=1"] = content
        known = f"md5:{hashlib.md5(content).hexdigest()}"
        download = {"url": f"{name}?download=1", "hash": known, "to": name}
        entry = {"title": "T", "licence": "CC BY 4.0", "citation": "C", "by_default": False}
        entry |= {"files": {name: {"hash": known}}}
        entry |= {"sources": [{"kind": "url", "base": server.url, "downloads": [download]}]}
        (home / "data" / "registry.yml").write_text(yaml.safe_dump({dataset_id: entry}))
        return f"/{name}?download=1"

    return register


def test_the_splits_come_with_grades_and_labels(serve):
    serve("retinamnist-28", npz())
    data = retina_mnist(size=28)
    assert repr(data) == (
        "RetinaMNIST 28x28, train + val + test: 13 images of 13 patients (no retinopathy: 6, retinopathy: 7)"
    )
    assert data.table["grade"].tolist() == [row % 5 for row in range(13)]
    assert [int(data.image(row).max()) for row in range(13)] == list(range(13))
    assert data.table["split"].value_counts().to_dict() == NUMBERS
    test = retina_mnist("test", 28, positive="any")
    assert len(test) == 4 and test.labels.tolist() == [1, 0, 1, 1]  # grades 4 0 1 2
    assert len(load_fundus("retinamnist", split="val", size=28)) == 3


@pytest.mark.parametrize("fault", ["truncate", "wrong", 503])
def test_a_download_that_goes_wrong_is_repeated(serve, server, fault):
    path = serve("retinamnist-28", npz())
    server.script[path] = [fault]
    assert len(retina_mnist(size=28)) == 13
    assert len(server.seen) == 2


def test_a_file_with_the_wrong_hash_is_never_read(serve, server):
    path = serve("retinamnist-28", npz())
    server.files[path] = npz(train_labels=np.zeros((6, 1), np.uint8))
    with pytest.raises(FetchError, match=r"wrong content .*-p source=synthetic"):
        load_fundus("retinamnist", size=28)


def test_chest_films_have_a_column_a_finding(serve):
    serve("chestmnist-28", npz(grey=True))
    films = load_medmnist("chestmnist", split=["val", "test"])
    assert films.multi_label and films.labels.shape == (7, 14)
    assert films.classes[1] == "Cardiomegaly" and films.counts()["Cardiomegaly"] == 3
    assert films.images(28).shape == (7, 28, 28)


def test_large_arrays_are_mapped_and_found_again(serve, cache, monkeypatch):
    monkeypatch.setattr(medmnist, "LARGE", 1000)
    serve("retinamnist-28", npz())
    before = retina_mnist("train", 28).fingerprint()
    (unpacked,) = (cache / "retinamnist-28").glob("*train_images*.npy")
    stamp = unpacked.stat().st_mtime_ns
    images = medmnist.read_member(fetch("retinamnist-28"), "train_images")
    assert isinstance(images, np.memmap) and unpacked.stat().st_mtime_ns == stamp
    assert retina_mnist("train", 28).fingerprint() == before

    whole = unpacked.read_bytes()
    for damaged in (whole[:-10], whole[:-1] + bytes([whole[-1] ^ 1])):
        unpacked.write_bytes(damaged)
        assert retina_mnist("train", 28).fingerprint() == before
        assert unpacked.read_bytes() == whole


class Evil:
    def __reduce__(self):
        return (print, ("this must not run",))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npz()[:-200], "cannot be read as a file of arrays"),
        (b"no archive", "cannot be read as a file of arrays"),
        (npz(train_images=np.array([Evil()] * 6)), "cannot be read as a file of arrays"),
        (npz(train_images=np.zeros((5, 28, 28, 3), np.uint8)), r"is no RetinaMNIST: .*\(5, 28, 28, 3\)"),
    ],
    ids=["cut-short", "no-archive", "pickle", "lengths-differ"],
)
def test_a_file_that_is_something_else_says_so(serve, content, said, capfd):
    serve("retinamnist-28", content)
    with pytest.raises(K2CError, match=said):
        retina_mnist("train", size=28)
    assert "must not run" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (lambda: retina_mnist(size=32), "size=32 is not one of 28, 64, 128, 224"),
        (lambda: retina_mnist("tests"), "no split 'tests'; did you mean 'test'"),
        (lambda: retina_mnist(positive="severe"), "no kind of positive 'severe'"),
        (lambda: load_medmnist("retinmnist"), "did you mean 'retinamnist'"),
    ],
    ids=["size", "split", "positive", "name"],
)
def test_mistakes_are_refused_before_anything_is_downloaded(load, said):
    with pytest.raises(K2CError, match=said):
        load()


def test_the_registry_knows_every_size():
    for name in medmnist.COLLECTIONS:
        for size in medmnist.SIZES:
            entry = read_registry()[f"{name}-{size}"]
            (file,) = entry.files
            assert f"{size}x{size}" in entry.title and entry.licence == "CC BY 4.0"
            assert not entry.by_default and entry.download_text == "size unknown"
            assert file == (f"{name}.npz" if size == 28 else f"{name}_{size}.npz")
    hashes = [file.hash for entry in entries() for file in entry.files.values()]
    assert len(hashes) == len(set(hashes))
