"""Texts in pictures: how wide they are, what is cut, and what must not be written as it is.

Widths are the advances of DejaVu Sans in thousandths of the size, for the 95 printable ASCII
characters; Helvetica and Arial are narrower, so what fits here fits there.
"""

from __future__ import annotations

import functools
import unicodedata

_PLAIN = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
)  # fmt: skip
# Bold letters are wider by at most this factor.
_BOLD = 1.17
_OTHER, _WIDE = 1000, 2000
# Longer texts are cut; the tooltip has all of them.
WIDEST = 40
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn")


def width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text is.

    Args:
        text: one line.
        size: of the font.
        bold: whether it is bold.

    Returns:
        The width in the unit of `size`, never less than what a browser needs.

    Example:
        >>> round(width("dense_1", 10), 2)
        41.56
    """
    return _units(text) * size / 1000 * (_BOLD if bold else 1)


@functools.lru_cache(maxsize=4096)
def _units(text: str) -> int:
    """The width in thousandths of the size; a graph says the same words again and again."""
    return sum(
        _PLAIN[ord(c) - 32] if " " <= c <= "~" else _WIDE if _is_wide(c) else _OTHER for c in text
    )


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def clean(text: str) -> str:
    """Makes control characters, direction marks and broken characters visible.

    Example:
        >>> clean("a\\nb\\x1b[31m\\u202e")
        'a\\\\nb\\\\x1b[31m\\\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(repr(c)[1:-1] if unicodedata.category(c) in _UNSEEN else c for c in text)


def short(text: str, widest: int = WIDEST) -> str:
    """The text in visible characters, cut with an ellipsis.

    Example:
        >>> short("a" * 50, 5)
        'aaaa…'
    """
    seen = clean(text)
    return seen if len(seen) <= widest else seen[: widest - 1] + "…"
