"""What a page is made of: all in one file, with the runtime that its script names."""

import gzip
import hashlib
import re

import pytest
import torch

from k2c.models import ModelCard, OwnClassifier, backbone
from k2c.own.page import STATIC, export_page

# Of the files that static/runtime.sh makes.
RUNTIME = {
    "ort.js": "24f541ade13338c657ac61cb07c00b8c152dbe9d2d09eb806f8986d6773b1c65",
    "ort.wasm.gz": "bf933930bc90cf4f613f36cdc41616b54cfd2e9930478b574aed6ed4ef9ff8ca",
}


def test_the_runtime_is_what_its_script_makes():
    for name, expected in RUNTIME.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == expected
    assert gzip.decompress((STATIC / "ort.wasm.gz").read_bytes()).startswith(b"\0asm")
    assert (STATIC / "ort.wasm.gz").stat().st_size < 4_000_000
    assert "MIT License" in (STATIC / "LICENSE.onnxruntime").read_text()


def test_a_page_is_one_file_that_may_ask_for_nothing(tmp_path):
    pytest.importorskip("onnx")
    card = ModelCard("30 images.", "9 of 10 right.", "Anything <b>else</b>.")
    network = backbone()
    own = OwnClassifier(network, ["</script>", "b"], torch.zeros(1, network.n_features), [0.0], card=card)
    export_page(own, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy
    outside = re.findall(r'(?:src|href)="(?!#)[^"]*"', page)
    assert outside == []
    assert page.count("</script>") == page.count("<script")
    for text in ("30 images.", "9 of 10 right.", "Anything &lt;b&gt;else&lt;/b&gt;."):
        assert text in page
    assert (tmp_path / "page.html").stat().st_size < 19e6
