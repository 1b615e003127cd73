"""The keyword filter: what a keyword matches, and what each new rule does to precision and recall."""

import numpy as np
import pytest

from k2c.errors import K2CError
from k2c.models.rules import RuleFilter


@pytest.mark.parametrize(
    ("keyword", "text", "hit"),
    [
        ("free", "Get it FREE!", True),
        ("free", "The freezer is full", False),
        ("free", "duty-free shop", True),
        ("gift card", "a Gift\n card for you", True),
        ("gift card", "giftcard", False),
        ("!!!", "Now!!!", True),
        ("£", "only £5", True),
        ("c++", "C++ course", True),
        (".", "no full stop here", False),
        ("straße", "STRASSE und Straße", True),
    ],
)
def test_a_keyword_is_a_whole_word_in_any_case(keyword, text, hit):
    assert RuleFilter([keyword]).predict([text]).tolist() == [hit]


def test_any_rule_is_enough():
    rules = RuleFilter(["prize"]).add("click")
    assert rules.predict(["click for your prize", "a prize", "hello"]).tolist() == [True, True, False]
    assert RuleFilter().predict(["anything"]).tolist() == [False]


def test_growth_measures_the_list_after_each_rule():
    texts = ["win cash", "free cash", "are you free", "lunch?", "pay the fee"]
    is_spam = [True, True, False, False, True]
    growth = RuleFilter(["lottery", "free", "cash", "fee"]).growth(texts, is_spam)
    assert growth["keyword"].tolist() == ["lottery", "free", "cash", "fee"]
    assert growth["spam"].tolist() == [0, 1, 2, 1]
    assert growth["ham"].tolist() == [0, 1, 0, 0]
    np.testing.assert_allclose(growth["precision"], [np.nan, 1 / 2, 2 / 3, 3 / 4])
    np.testing.assert_allclose(growth["recall"], [0, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(growth["ham_loss"], [0, 1 / 2, 1 / 2, 1 / 2])


def test_a_list_without_sense_is_refused():
    with pytest.raises(K2CError, match="empty one would match every message"):
        RuleFilter(["free", "  "])
    with pytest.raises(K2CError, match="'Free' is a rule already"):
        RuleFilter(["free", "Free"])
    with pytest.raises(K2CError, match=r"Write RuleFilter\(\['free'\]\)"):
        RuleFilter("free")
    with pytest.raises(K2CError, match="no rules to measure"):
        RuleFilter().growth(["hello"], [False])
    with pytest.raises(K2CError, match="2 messages need 2 labels"):
        RuleFilter(["free"]).growth(["hello", "free"], [False])
