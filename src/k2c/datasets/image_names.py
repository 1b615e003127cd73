r"""Which file of a folder a name means: `images/10_left.jpeg`, `10_left`, `C:\data\10_LEFT.JPG`."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from k2c._system.printable import printable
from k2c.datasets.image_formats import SUFFIXES
from k2c.errors import K2CError


def without_suffix(name: str) -> str:
    """Return a name without what names its format; `1.2.840.10008` is a name without one."""
    return re.sub(r"\.[A-Za-z][A-Za-z0-9]{1,5}$", "", name)


class ImageNames:
    """Files by every way to name them: with and without folders and suffix, in any case.

    Parameters
    ----------
    images
        Relative to their folder.
    others
        Files that are no images, or are not opened: a row that names one is told so, not that the file is missing.
    """

    def __init__(self, images: Iterable[str], others: Iterable[str]) -> None:
        self._exact: dict[str, str] = {}
        self._by_tail: dict[str, set[str]] = defaultdict(set)
        self._other: dict[str, set[str]] = defaultdict(set)
        for file in images:
            self._exact[_key(file)] = file if _key(file) not in self._exact else ""
            for tail in _tails(_key(file)):
                self._by_tail[tail].add(file)
                self._by_tail[without_suffix(tail)].add(file)
        for (
            file
        ) in others:  # a row may name a file that is no image: it is told so, not that the file is missing
            for tail in _tails(_key(file)):
                self._other[tail].add(file)
                if file.lower().endswith(SUFFIXES):
                    self._other[without_suffix(tail)].add(file)

    def files(self, names: Sequence[str], at: Callable[[int], str]) -> list[str]:
        """Return the file that each name means; empty where there is none.

        Parameters
        ----------
        names
            As a CSV file or a list has them.
        at
            Where the name of a number stands, for the beginning of a sentence.

        Raises
        ------
        K2CError
            When a name may be several files.
        """
        keys = [_key(name) for name in names]
        used = Counter(tail for key in set(keys) for tail in _tails(key))
        files = []
        for row, (name, key) in enumerate(zip(names, keys, strict=True)):
            found = self._candidates(name, key, used)
            if len(found) > 1:
                shown = sorted(found)
                listed = " or ".join(printable(file) for file in shown[:4]) + (" or ..." if shown[4:] else "")
                raise K2CError(
                    f"{at(row)}: '{printable(name)}' may be {listed}. Write it with its folder and its suffix."
                )
            files.append(next(iter(found), ""))
        return files

    def _candidates(self, name: str, key: str, used: Counter[str]) -> set[str]:
        if self._exact.get(key):
            return {self._exact[key]}
        for tail in _tails(key):
            # With fewer folders than the row gives, the name must still be that of one row only: view1.png of one
            # patient's folder is not that of another's.
            if tail != key and used[tail] > 1:
                break
            for ways in (self._by_tail, self._other):
                found = ways.get(tail) or ways.get(without_suffix(tail))
                if found:
                    same_case = {
                        file for file in found if PurePosixPath(file).name == PurePosixPath(name).name
                    }
                    return same_case if len(same_case) == 1 else found
        return set()


def _key(name: str) -> str:
    text = unicodedata.normalize("NFC", name.replace("\\", "/")).casefold()
    return "/".join(
        part for part in text.split("/") if part not in ("", ".", "..") and not part.endswith(":")
    )


def _tails(key: str) -> list[str]:
    parts = key.split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]
