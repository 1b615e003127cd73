"""Messages and words, as people read them: cards, coloured words, the words that tell most."""

import html
import re
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.colors import to_rgb

from k2c._system.printable import printable
from k2c.display.style import HAM, SPAM

# What scikit-learn's CountVectorizer takes for a word; the colours must fall on what was counted.
WORD = re.compile(r"(?u)\b\w\w+\b")
_CARD_WIDTH = 320  # characters shown of each of several messages
_TELLING_WORDS = 14  # on each side
_CARD = (
    "border-left:6px solid {colour};background:#FFFFFF;color:#222222;padding:6px 12px;margin:6px 0;"
    "max-width:760px;font-family:sans-serif;line-height:1.5"
)
_LABEL_COLOURS = {False: "#005A8C", True: "#A84300"}  # of ham and spam, dark enough to be read as words
_LABEL = '<span style="color:{colour};font-weight:bold">{text}</span>'


def show_messages(texts: Sequence[str], is_spam: Sequence[Any], notes: Sequence[str] | None = None) -> None:
    """Show messages as cards: ham with a blue edge, spam with a red one.

    Parameters
    ----------
    texts, is_spam
        The messages and their labels.
    notes
        A word or two on each message, shown after its label.
    """
    cards, lines = [], []
    for text, spam, note in zip(
        texts, is_spam, notes if notes is not None else [""] * len(texts), strict=True
    ):
        label = ("spam" if spam else "ham") + (f", {note}" if note else "")
        shown = text if len(text) <= _CARD_WIDTH else text[: _CARD_WIDTH - 1].rstrip() + "…"
        cards.append(_card(f"{_label(label, bool(spam))}<br>{_escape(shown)}", SPAM if spam else HAM))
        lines.append(f"[{label}] {' '.join(shown.split())}")
    _show("".join(cards), "\n".join(lines))


def show_explained(text: str, explanation: pd.Series, title: str = "") -> None:
    """Show one message with its words coloured by their log odds: red speaks for spam, blue for ham.

    Parameters
    ----------
    text, explanation, title
        See `explained_card`.
    """
    _show(*explained_card(text, explanation, title))


def explained_card(text: str, explanation: pd.Series, title: str = "", width: int = 900) -> tuple[str, str]:
    """Return one message with its words coloured by their log odds, as a page and as plain text.

    Parameters
    ----------
    text
        The message.
    explanation
        `NaiveBayes.explain` of it: the first entry is the start, then each word's contribution.
    title
        A line above the message.
    width
        Characters shown of the message.
    """
    start, words = float(explanation.iloc[0]), explanation.iloc[1:].to_dict()
    strongest = max((abs(value) for value in words.values()), default=1.0) or 1.0
    shown = text if len(text) <= width else text[: width - 1] + "…"
    parts, position = [], 0
    for found in WORD.finditer(shown):
        parts.append(_escape(shown[position : found.start()]))
        parts.append(_coloured(found[0], words.get(found[0].lower()), strongest))
        position = found.end()
    parts.append(_escape(shown[position:]))
    total = start + sum(words.values())
    verdict = f"start {start:+.1f}, words {total - start:+.1f}: log odds {total:+.1f}, so {_name(total)}"
    head = f"<b>{_escape(title)}</b><br>" if title else ""
    foot = _label(verdict, total > 0)
    told = ", ".join(f"{word} {value:+.2f}" for word, value in list(words.items())[:12])
    page = _card(f"{head}{''.join(parts)}<br>{foot}", SPAM if total > 0 else HAM)
    return page, "\n".join(line for line in (title, verdict, told) if line)


def show_telling_words(log_odds: pd.Series) -> None:
    """Draw the words with the highest and the lowest log odds as bars, spam to the right and ham to the left.

    Parameters
    ----------
    log_odds
        Log odds of spam, indexed by word.
    """
    ordered = log_odds.sort_values()
    n_words = min(_TELLING_WORDS, len(ordered) // 2)
    figure, sides = plt.subplots(1, 2, figsize=(10.5, 0.34 * n_words + 1.4))
    widest = 1.05 * float(ordered.abs().max())
    for axes, part, colour, name in (
        (sides[0], ordered.iloc[:n_words][::-1], HAM, "ham"),
        (sides[1], ordered.iloc[len(ordered) - n_words :], SPAM, "spam"),
    ):
        axes.barh([str(word) for word in part.index], part.abs(), color=colour)
        axes.set(title=f"speak for {name}", xlabel=f"log odds of {name}", xlim=(0, widest))
        axes.grid(axis="y", visible=False)
    figure.suptitle("The most telling words", x=0.01, ha="left", fontsize=15)
    plt.show()


def _coloured(word: str, value: float | None, strongest: float) -> str:
    if value is None:
        return _escape(word)
    mix = 0.75 * min(abs(value) / strongest, 1.0)
    colour = np.array(to_rgb(SPAM if value > 0 else HAM)) * mix + (1.0 - mix)
    background = ",".join(str(round(255 * channel)) for channel in colour)
    return (
        f'<span title="{value:+.2f}" style="background:rgb({background});border-radius:3px">'
        f"{_escape(word)}</span>"
    )


def _name(log_odds: float) -> str:
    return "spam" if log_odds > 0 else "ham"


def _label(text: str, spam: bool) -> str:
    return _LABEL.format(colour=_LABEL_COLOURS[bool(spam)], text=_escape(text))


def _card(content: str, colour: str) -> str:
    return f'<div style="{_CARD.format(colour=colour)}">{content}</div>'


def _escape(text: str) -> str:
    # A dollar sign would start a formula on a page that renders LaTeX.
    return html.escape(printable(text, lines=True)).replace("$", "&#36;<wbr>").replace("\n", "<br>")


def _show(page: str, plain: str) -> None:
    display({"text/html": page, "text/plain": printable(plain, lines=True)}, raw=True)
