"""Which submissions resemble each other: their exercises' code without names, comments and layout. No verdict."""

import builtins
import io
import keyword
import tokenize
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

GRAM = 8  # tokens in a row that are compared
COMMON = 0.1  # of a class: what more than this fraction writes is no resemblance
LEAST, LIKE = 12, 0.5  # runs of tokens that two share at least, and of the smaller one's
_KEPT = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}


@dataclass(frozen=True)
class Pair:
    """Two students, the fraction of the rare code of the one with less of it that both have, and how much that is."""

    first: str
    second: str
    fraction: float
    shared: int


def resemblances(sources: Mapping[str, Iterable[str]], given: Iterable[str]) -> list[Pair]:
    """Compare all submissions with each other.

    Short right answers are alike by themselves: code that the course gives, and what more than a tenth of the class
    writes, does not count.

    Parameters
    ----------
    sources
        The code of the exercises by student.
    given
        The code of the course: the exercises with holes, and their solutions.

    Returns
    -------
    list of Pair
        The most alike first.
    """
    known = {gram for source in given for gram in _grams(source)}
    grams = {name: {g for source in code for g in _grams(source)} - known for name, code in sources.items()}
    count = Counter(gram for found in grams.values() for gram in found)
    most = max(2, int(COMMON * len(grams)))
    rare = {name: {gram for gram in found if count[gram] <= most} for name, found in grams.items()}
    holders: dict[int, list[str]] = {}
    for name, found in rare.items():
        for gram in found:
            holders.setdefault(gram, []).append(name)
    shared = Counter(pair for names in holders.values() for pair in combinations(sorted(names), 2))
    pairs = [
        Pair(first, second, number / min(len(rare[first]), len(rare[second])), number)
        for (first, second), number in shared.items()
    ]
    alike = [pair for pair in pairs if pair.shared >= LEAST and pair.fraction >= LIKE]
    return sorted(alike, key=lambda pair: (-pair.fraction, -pair.shared, pair.first))


def _grams(source: str) -> set[int]:
    """Return every run of `GRAM` tokens as a number: names are one name, text one text."""
    tokens = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NAME:
                tokens.append(token.string if token.string in _KEPT else "name")
            elif token.type == tokenize.STRING:
                tokens.append("text")
            elif token.type in (tokenize.NUMBER, tokenize.OP):
                tokens.append(token.string)
    except (tokenize.TokenError, SyntaxError):  # what could be read until then counts
        pass
    return {hash(tuple(tokens[start : start + GRAM])) for start in range(len(tokens) - GRAM + 1)}
