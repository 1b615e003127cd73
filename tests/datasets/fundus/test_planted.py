"""The folder with planted defects has them, and no others."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from k2c.datasets import audit
from k2c.datasets.fundus import load_fundus
from k2c.datasets.fundus.planted import packed_folder, planted_defects, planted_folder, unpacked_folder


@pytest.mark.parametrize("way", [planted_folder, lambda seed: unpacked_folder(packed_folder(seed))])
@pytest.mark.parametrize("seed", [0, 7])
def test_the_planted_defects_are_there(seed, way):
    folder, defects = way(seed), planted_defects(seed)
    table = pd.read_csv(folder / "labels.csv").set_index("image")
    images = {name: np.asarray(Image.open(folder / name)).astype(int) for name in table.index}
    corner = {name: image[-10:-5, 5:10].min() for name, image in images.items()}
    assert sorted(name for name, value in corner.items() if value > 190) == defects["marks"]
    assert table.loc[defects["marks"], "label"].all() and len(defects["marks"]) > 10
    sides = table.groupby("patient")["part"].nunique()
    assert sorted(sides.index[sides > 1]) == defects["patients"]
    assert len(defects["copies"]) == 8
    assert table.loc[defects["copies"], "patient"].nunique() >= 7  # two eyes of a patient may both be copied


def test_the_audit_of_the_kit_finds_the_copies_and_the_patients_but_not_the_mark():
    data = load_fundus(planted_folder(0), positive="referable")
    training = data.table["part"] == "training"
    found = audit(data.subset(np.flatnonzero(training)), data.subset(np.flatnonzero(~training)))
    kinds = {finding.kind for finding in found.findings}
    assert any("patient" in kind for kind in kinds), kinds
    assert any("twice" in kind or "cop" in kind or "same" in kind for kind in kinds), kinds
