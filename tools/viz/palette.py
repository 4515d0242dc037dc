"""Colours of values: a scale that the colour-blind can read, colours of kinds, letters on them."""

from __future__ import annotations

# Dark to light along viridis, at equal distances.
SCALE = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
# Okabe and Ito's, for what has no order; they are gone through again where there are more kinds.
KINDS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
# Of boxes that have no value.
NEUTRAL = "#66727e"


def shade(part: float) -> str:
    """The colour at a part of the scale.

    Args:
        part: 0 for the least value, 1 for the greatest.

    Example:
        >>> shade(0), shade(0.5), shade(1)
        ('#440154', '#21918c', '#fde725')
    """
    at = min(int(part * (len(SCALE) - 1)), len(SCALE) - 2)
    rest = part * (len(SCALE) - 1) - at
    pairs = zip(_parts(SCALE[at]), _parts(SCALE[at + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * rest):02x}" for a, b in pairs)


def ink_on(color: str) -> str:
    """Black or white, whichever can be read better; the contrast is at least 4.58.

    By WCAG 2 the two contrasts multiply to 21 on every colour, so the larger is at least its root.

    Example:
        >>> ink_on("#440154"), ink_on("#fde725")
        ('#ffffff', '#000000')
    """
    light = luminance(color)
    return "#000000" if (light + 0.05) ** 2 > 1.05 * 0.05 else "#ffffff"


def luminance(color: str) -> float:
    """How light a colour is, from 0 to 1, as WCAG 2 computes it.

    Example:
        >>> luminance("#ffffff")
        1.0
    """
    linear = [
        p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4
        for p in (part / 255 for part in _parts(color))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _parts(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]
