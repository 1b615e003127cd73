"""An array that is kept is as it was computed, or it is computed again."""

import os
import random

import numpy as np
import pytest

from k2c._system.array_cache import kept_array

EXPECTED = np.arange(60, dtype=np.float32).reshape(12, 5)


@pytest.fixture
def kept(tmp_path):
    """Return the file, and a function that asks for the array and says whether it was computed."""
    file = tmp_path / "features.npy"

    def ask():
        calls = []
        array = kept_array(
            file, lambda: calls.append(1) or EXPECTED.copy(), lambda a: a.shape == (12, 5), "features"
        )
        assert np.array_equal(array, EXPECTED)
        return bool(calls)

    return file, ask


def test_it_is_computed_once_and_mapped_afterwards(kept):
    file, ask = kept
    assert ask() and not ask()
    assert np.array_equal(np.load(file), EXPECTED)  # an ordinary .npy file to others


def test_no_single_bit_can_change_unnoticed(kept):
    file, ask = kept
    ask()
    whole, chance = file.read_bytes(), random.Random(0)
    for turn in range(300):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        os.utime(file, ns=(turn, turn))  # two writes within a tick of the clock look like one
        with pytest.warns(UserWarning, match=r"The features kept in .*npy are damaged: .* computed again\."):
            assert ask()
        assert file.read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [lambda whole: b"", lambda whole: whole[:-1], lambda whole: whole + b"0", lambda whole: b"<html>" * 99],
)
def test_other_damage_is_said_too(change, kept):
    file, ask = kept
    ask()
    file.write_bytes(change(file.read_bytes()))
    with pytest.warns(UserWarning, match="are damaged"):
        assert ask()
    assert not ask()
