"""Two batches compared: which metrics differ by more than the repeats of one setting do among themselves."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from k2c._system.terminal import Terminal
from k2c.errors import K2CError
from k2c.metrics import holm
from k2c.runs.batch import read_plan
from k2c.runs.reports.batch.table import Batch, read_batch_table
from k2c.runs.reports.pages import format_seconds

LEVEL = 0.05


@dataclass
class Difference:
    """How one metric differs between two batches.

    Attributes
    ----------
    metric
        Its name.
    before, after
        The mean over the settings that both batches have, each setting counting once.
    half
        Half the 95% confidence interval of `after - before`; NaN where no setting was repeated in both.
    p
        The p-value of Welch's test, corrected by Holm's method for the number of metrics; NaN like `half`.
    largest
        The setting where they differ most, in words, and by how much there; empty where there is one setting.
    """

    metric: str
    before: float
    after: float
    half: float
    p: float
    largest: str = ""

    @property
    def differs(self) -> bool:
        """Whether the difference is beyond the noise of the repeats."""
        return self.p < LEVEL

    def __str__(self) -> str:
        change = self.after - self.before
        words = f"{self.metric}: {self.before:.4g} → {self.after:.4g}"
        if change == 0:
            return f"{words}, the same."
        if np.isnan(self.p):
            return f"{words} ({change:+.3g}); without repeats nobody knows whether that is noise."
        noise = (
            "differs beyond the noise of the repeats"
            if self.differs
            else "no difference beyond the repeats' noise"
        )
        return f"{words} ({change:+.3g} ± {self.half:.2g}, p = {self.p:.2g}): {noise}.{self.largest}"


def compare_batches(a: Path, b: Path, console: Terminal) -> list[Difference]:
    """Print one sentence per metric: whether it differs between two batches beyond the noise of their repeats.

    Runs are paired by the parameters that both batches sweep; what else differs between the batches is what is
    compared. The test is Welch's, of the mean difference over the paired settings (Welch 1947, Biometrika 34), and
    the p-values are corrected for the number of metrics by Holm's method (1979, Scand. J. Statist. 6).

    Where one of them is a search, first comes what its best and the other's cost.

    Raises
    ------
    K2CError
        When the batches have no setting or no metric in common, and neither is a search.
    """
    before, after = read_batch_table(a), read_batch_table(b)
    raced = _race({a: before, b: after})
    for line in raced:
        console.say(line)
    keys = [name for name in before.swept if name in after.swept]
    one, two = _settings(before, keys), _settings(after, keys)
    common = [setting for setting in one if setting in two]
    metrics = [name for name in before.metrics if name in after.metrics]
    if raced and not common:
        return []
    if not common or not metrics:
        raise K2CError(
            f"{a} and {b} cannot be compared: no setting of {', '.join(keys) or 'theirs'} went through in both."
        )
    compared = (_difference(name, keys, common, one, two, before, after) for name in metrics)
    found = [difference for difference in compared if difference]
    tested = [each for each in found if not np.isnan(each.p)]
    for each, p in zip(tested, holm([each.p for each in tested]), strict=True):
        each.p = float(p)
    _print(a, b, before, after, keys, len(common), found, console)
    return found


def _race(batches: dict[Path, Batch]) -> list[str]:
    """Return what the best of a search and of another batch cost, a sentence each; nothing where none is a search."""
    search = next((form for folder in batches if (form := read_plan(folder).search)), None)
    if search is None or not all(search.objective in batch.metrics for batch in batches.values()):
        return []
    sign = 1 if search.direction == "maximize" else -1
    lines, best = [], {}
    for folder, batch in batches.items():
        means = sign * batch.done.groupby(batch.swept)[search.objective].mean()
        best[folder] = means.max()
        lines.append(
            f"{folder}: best {search.objective} {sign * means.max():.5g}, of {len(means):,} settings, "
            f"{len(batch.frame):,} runs and {format_seconds(batch.frame['seconds'].sum())} of running."
        )
    for folder, other in itertools.permutations(batches):
        frame = batches[folder].frame
        reached = frame.index[sign * frame[search.objective] >= best[other]]
        if read_plan(folder).search and not read_plan(other).search:
            until = frame.loc[: reached[0], "seconds"].sum() if len(reached) else 0.0
            when = f"with run {reached[0] + 1}, after {format_seconds(until)}" if len(reached) else "not"
            lines.append(f"{folder} reached the best of {other} {when}; one run each, so luck is part of it.")
    return lines


Rows = dict[tuple[object, ...], list[int]]


def _settings(batch: Batch, keys: Sequence[str]) -> Rows:
    rows: Rows = {}
    for index, row in batch.done.iterrows():
        rows.setdefault(tuple(row[key] for key in keys), []).append(index)
    return rows


def _difference(
    metric: str, keys: list[str], common: list[tuple[object, ...]], one: Rows, two: Rows, before: Batch, after: Batch
) -> Difference | None:  # fmt: skip
    pairs = []
    for setting in common:
        x = before.frame.loc[one[setting], metric].dropna().to_numpy(dtype=float)
        y = after.frame.loc[two[setting], metric].dropna().to_numpy(dtype=float)
        if len(x) and len(y):
            pairs.append((setting, x, y))
    if not pairs:
        return None
    changes = [y.mean() - x.mean() for _, x, y in pairs]
    samples = [(x, y) for _, x, y in pairs]
    half, p = _welch(samples)
    largest = ""
    if len(pairs) > 1:
        at = int(np.argmax(np.abs(changes)))
        words = ", ".join(f"{key} = {value}" for key, value in zip(keys, pairs[at][0], strict=True))
        largest = f" The largest change is {changes[at]:+.3g}, at {words}."
    x, y = (float(np.mean([pair[side].mean() for pair in samples])) for side in (0, 1))
    return Difference(metric, x, y, half, p, largest)


def _welch(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Return half the 95% interval and the two-sided p-value of the mean difference over the settings.

    Each setting's two means have their own variance; the degrees of freedom are Welch's and Satterthwaite's.
    """
    sides = [side for pair in pairs for side in pair]
    if min(map(len, sides)) < 2:
        return float("nan"), float("nan")
    terms = np.array([side.var(ddof=1) / len(side) for side in sides]) / len(pairs) ** 2
    change = float(np.mean([y.mean() - x.mean() for x, y in pairs]))
    variance = float(terms.sum())
    if variance == 0:
        return 0.0, 1.0 if change == 0 else 0.0
    freedom = variance**2 / sum(term**2 / (len(side) - 1) for term, side in zip(terms, sides, strict=True))
    error = np.sqrt(variance)
    return float(stats.t.ppf(0.975, freedom) * error), float(2 * stats.t.sf(abs(change) / error, freedom))


def _print(
    a: Path, b: Path, before: Batch, after: Batch, keys: list[str], settings: int, found: list[Difference],
    console: Terminal,
) -> None:  # fmt: skip
    changed = {key: (before.constant[key], after.constant.get(key)) for key in before.constant}
    words = ", ".join(f"{key}: {x} → {y}" for key, (x, y) in changed.items() if y is not None and x != y)
    lines = [
        f"{a} → {b}: {settings} setting{'s' if settings != 1 else ''}"
        + (f" of {', '.join(keys)}" if keys else "")
        + f" in both. {'What changed: ' + words + '.' if words else 'The fixed parameters are the same.'}",
        *map(str, sorted(found, key=lambda each: (not each.differs, each.metric))),
        f"p is Welch's over the repeats, corrected for {sum(not np.isnan(each.p) for each in found)} metrics (Holm); "
        f"± is a 95% interval; below {LEVEL:g} counts as a difference.",
    ]
    for line in lines:
        console.say(line)
