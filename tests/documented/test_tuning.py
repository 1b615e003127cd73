"""What the page on tuning says of luck follows from the committed measurements."""

import re
from pathlib import Path

import numpy as np

from k2c.course.results import measured

PAGE = (Path(__file__).parents[2] / "course/site/tuning.md").read_text(encoding="utf-8")


def best_of(n):
    """Return the expected maximum of n standard normal numbers."""
    z = np.linspace(-10, 10, 20_001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    below = np.cumsum(density) * (z[1] - z[0])
    return float(np.sum(z * n * density * below ** (n - 1)) * (z[1] - z[0]))


def test_the_best_of_equal_settings_is_as_lucky_as_the_page_says():
    facts = measured("lenet_variants").query("network == 'LeNet' and epoch == 5")["errors"]
    mean, spread = facts.mean(), facts.std()
    assert f"{mean:.0f} errors\non 10,000 test digits" in PAGE
    assert f"deviation of {spread:.0f} between seeds, from {facts.min()} to {facts.max()}" in PAGE
    assert f"an improvement of {mean - facts.min():.0f} errors" in PAGE
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 5
    for runs, deviations, errors in rows:
        assert float(deviations) == round(best_of(int(runs)), 2)
        assert int(errors) == round(mean - spread * best_of(int(runs)))


def test_more_seeds_make_luck_rarer_as_the_page_says():
    needed = {seeds: next(n for n in range(1, 99) if best_of(n) >= seeds**0.5) for seeds in (1, 3, 5)}
    assert needed == {1: 4, 3: 15, 5: 49}
    assert "luckiest of 4 ordinary" in PAGE and "it takes 15; with five seeds, 49" in PAGE


def test_the_searches_reach_the_grids_best_as_the_page_says():
    facts = measured("lenet_tuning")
    grid = (
        facts[facts["part"] == "grid"].groupby(["learning_rate", "momentum"])[["validation", "test"]].mean()
    )
    (rate, momentum), best = grid["validation"].idxmax(), grid.loc[grid["validation"].idxmax()]
    row = f"| grid, mean of 3 seeds | {rate:g}, {momentum:g} | {best['validation']:.4f} | {best['test']:.4f} | |"
    assert row in PAGE
    for seed in range(5):
        runs = facts[facts["part"] == f"search {seed}"]
        assert len(runs) == 24
        won = runs.loc[runs["validation"].idxmax()]
        reached = int(runs.loc[runs["validation"] >= best["validation"], "number"].min())
        setting = f"{won['learning_rate']:.3f}, {won['momentum']:.3f}"
        assert f"| {setting} | {won['validation']:.4f} | {won['test']:.4f} | {reached} |" in PAGE
