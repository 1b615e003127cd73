"""The names of the thousand classes."""

import csv
import os
from pathlib import Path

import pytest

from k2c.errors import K2CError
from k2c.models.imagenet import class_index, imagenet_classes


def test_the_cats_stand_where_networks_have_them():
    classes = imagenet_classes()
    assert len(classes) == 1000
    assert classes["name"][281:286].tolist() == [
        "tabby",
        "tiger cat",
        "Persian cat",
        "Siamese cat",
        "Egyptian cat",
    ]
    assert classes["wnid"][285] == "n02124075"


def test_no_two_classes_share_a_name_or_an_id():
    classes = imagenet_classes()
    assert classes["name"].str.lower().is_unique
    assert classes["wnid"].is_unique
    assert class_index("crane (bird)") == 134
    assert class_index("crane (machine)") == 517


def test_a_class_is_found_by_name_and_by_wordnet_id():
    assert class_index("Tiger Cat") == class_index("n02123159") == 282


def test_a_misspelt_class_gets_the_nearest_name_and_not_a_list_of_a_thousand():
    with pytest.raises(K2CError, match="did you mean 'Egyptian cat'") as error:
        class_index("Egyptain cat")
    assert len(str(error.value)) < 200


@pytest.mark.realdata
def test_the_labels_of_real_photographs_agree():
    root = os.environ.get("K2C_REALDATA")
    if not root:
        pytest.skip("K2C_REALDATA is not set")
    with Path(root, "imagenet/labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    classes = imagenet_classes()
    assert rows and all(classes["wnid"][int(row["index"])] == row["wnid"] for row in rows)
    same = sum(classes["name"][int(row["index"])] == row["name"] for row in rows)
    assert same >= len(rows) - 2  # a name that two synsets share has brackets here
