"""LabelledImages: images, labels and table stay together whatever is selected, and nothing is read early."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from k2c.datasets import ArraySource, FileSource, ImageError, LabelledImages
from k2c.errors import K2CError

CLASSES = ("negative", "positive")


def table(labels, patients=None, **columns) -> pd.DataFrame:
    number = len(labels)
    names = [f"p{row}" for row in range(number)]
    return pd.DataFrame({"image": names, "patient": patients or names, "label": labels, **columns})


def plain(*values: int, size: int = 10) -> np.ndarray:
    """Images that each have one colour: the value tells which it is."""
    return np.stack([np.full((size, size, 3), value, np.uint8) for value in values])


@pytest.fixture
def data() -> LabelledImages:
    """Five images of three patients."""
    rows = table([0, 1, 0, 1, 1], ["a", "a", "b", "b", "c"], eye=["left", "right", "left", "right", "left"])
    return LabelledImages(rows, plain(10, 20, 30, 40, 50), CLASSES, name="toys")


def values(data: LabelledImages) -> list[int]:
    return [int(data.image(row)[0, 0, 0]) for row in range(len(data))]


def test_it_says_what_it_holds(data):
    assert repr(data) == "toys: 5 images of 3 patients (negative: 2, positive: 3)"
    assert data.labels.dtype == np.int64 and data.labels.tolist() == [0, 1, 0, 1, 1]
    assert data.patients.tolist() == ["a", "a", "b", "b", "c"]


@pytest.mark.parametrize(
    "rows", [[4, 1], np.array([4, 1]), [-1, 1]], ids=["list", "array", "counted-from-the-end"]
)
def test_a_subset_keeps_the_order_asked_for(data, rows):
    chosen = data.subset(rows)
    assert values(chosen) == [50, 20]
    assert chosen.labels.tolist() == [1, 1] and chosen.patients.tolist() == ["c", "a"]


def test_subset_filter_and_merge_combine(data):
    left = data.filter(eye="left")
    positive = data.filter(lambda table: table["label"] == 1, patient=["b", "c"])
    assert (values(left), values(positive)) == ([10, 30, 50], [40, 50])
    other = LabelledImages(table([0]), plain(99), CLASSES, name="more")
    both = left.merge(other, positive).subset(slice(2, None))
    assert values(both) == [50, 99, 40, 50]
    assert both.table["eye"].isna().tolist() == [False, True, False, False]
    assert repr(both) == "toys + more: 4 images of 3 patients (negative: 1, positive: 3)"
    assert len(data.subset([])) == 0 and data.subset([]).images(8).shape == (0, 8, 8, 3)


def test_labels_can_be_replaced(data):
    turned = data.with_columns(label=1 - data.labels, note="turned")
    assert turned.labels.tolist() == [1, 0, 1, 0, 0] and set(turned.table["note"]) == {"turned"}
    assert data.labels.tolist() == [0, 1, 0, 1, 1] and "note" not in data.table


def test_the_fingerprint_is_that_of_the_images_in_their_order(data):
    same = LabelledImages(table([1] * 5), plain(10, 20, 30, 40, 50), CLASSES)
    assert data.fingerprint() == same.fingerprint() == data.with_columns(label=0).fingerprint()
    assert data.fingerprint() == data.subset([0, 1]).merge(data.subset([2, 3, 4])).fingerprint()
    assert data.fingerprint() != data.subset([1, 0, 2, 3, 4]).fingerprint()
    assert data.fingerprint() != data.subset([0, 1, 2, 3]).fingerprint()


def test_files_are_read_when_asked_for_and_known_by_their_content(tmp_path):
    paths = [tmp_path / f"{row}.png" for row in range(3)]
    for path, image in zip(paths, plain(10, 20, 30, size=20), strict=True):
        Image.fromarray(image).save(path)
    data = LabelledImages(table([0, 0, 1]), FileSource(paths), CLASSES)
    before = data.fingerprint()
    copy = tmp_path / "copy.png"
    copy.write_bytes(paths[1].read_bytes())
    assert (
        before
        == LabelledImages(table([0, 0, 1]), FileSource([paths[0], copy, paths[2]]), CLASSES).fingerprint()
    )
    darker = FileSource(paths, prepare=lambda image: image // 2, variant="half")
    assert data.fingerprint() != LabelledImages(table([0, 0, 1]), darker, CLASSES).fingerprint()
    Image.fromarray(plain(99)[0]).save(paths[1])
    assert before != data.fingerprint()

    paths[1].write_text("no image")
    assert data.subset([2, 0]).images(8).shape == (2, 8, 8, 3)  # the broken one is not touched
    with pytest.raises(ImageError, match=r"1\.png is not an image"):
        data.images(8)
    ((row, said),) = data.unreadable()
    assert row == 1 and "1.png" in said
    assert data.readable().table["image"].tolist() == ["p0", "p2"]


def test_images_of_all_sizes_come_out_square_and_in_order():
    images = [np.full((20 + row, 33, 3), row, np.uint8) for row in range(40)]
    data = LabelledImages(table([0] * 40), ArraySource(images), CLASSES)
    squares = data.images(16, workers=4)
    assert squares.shape == (40, 16, 16, 3) and squares.dtype == np.uint8
    assert squares[:, 8, 8, 0].tolist() == list(range(40))
    assert list(data.each(lambda image: image.shape[0], workers=3)) == list(range(20, 60))


def test_grey_images_stay_grey_unless_some_are_coloured(data):
    grey = LabelledImages(table([0, 1]), np.full((2, 12, 12), 7, np.uint8), CLASSES)
    assert grey.images(8).shape == (2, 8, 8)
    for mixed in (grey.merge(data), data.merge(grey)):
        assert mixed.images(8).shape == (7, 8, 8, 3)
    assert set(grey.merge(data).images(8)[0].ravel()) == {7}


def test_several_findings_a_image_may_be_unknown():
    rows = table([0, 0, 0]).drop(columns="label").assign(Mass=[1, 0, np.nan], Edema=[1, np.nan, 0])
    films = LabelledImages(rows, np.zeros((3, 9, 9), np.uint8), ("Mass", "Edema"), name="films")
    assert films.multi_label and films.labels.dtype == np.float32
    np.testing.assert_array_equal(films.labels, [[1, 1], [0, np.nan], [np.nan, 0]])
    assert repr(films) == "films: 3 images of 3 patients (Mass: 1, Edema: 1)"
    assert films.subset([2, 0]).labels[0, 1] == 0


def test_masks_come_from_the_source_through_every_selection(data):
    class Known(ArraySource):
        def masks(self, index):
            return {"lesion": np.full((10, 10), bool(index))}

    known = LabelledImages(table([0, 1]), Known(plain(60, 70)), CLASSES)
    assert data.merge(known.subset([1])).masks(5)["lesion"].all()
    with pytest.raises(K2CError, match="come without masks"):
        data.masks(0)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda data: data.subset([7]), "no row 7: there are 5 images, 0 to 4"),
        (lambda data: data.subset([True, False]), "mask has 2 values, but there are 5 images"),
        (lambda data: data.filter(eyes="left"), "no column 'eyes'; did you mean 'eye'"),
        (lambda data: data.with_columns(label=[0, 1, 2, 0, 0]), "Row 2: label is 2, but must be one of 0, 1"),
        (lambda data: data.with_columns(label=np.nan), "Row 0: label is nan"),
        (lambda data: LabelledImages(data.table, plain(1), CLASSES), "5 rows, but there are 1 images"),
        (
            lambda data: LabelledImages(data.table.drop(columns="patient"), plain(*range(5)), CLASSES),
            "patient",
        ),
        (lambda data: LabelledImages(data.table, plain(*range(5)) / 2, CLASSES), "float64 .* must be uint8"),
        (
            lambda data: data.merge(LabelledImages(table([0]), plain(1), ("cat", "dog"))),
            "Only data sets of the same classes",
        ),
    ],
    ids=["row", "mask", "column", "label", "no-label", "length", "patient", "pixels", "classes"],
)
def test_mistakes_get_a_sentence(data, mistake, said):
    with pytest.raises(K2CError, match=said):
        mistake(data)
