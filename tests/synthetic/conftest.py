"""What the tests of synthetic images share: an empty cache."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("K2C_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"
