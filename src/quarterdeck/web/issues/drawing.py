"""Small bars of counts."""

from __future__ import annotations

from collections.abc import Sequence

_HEIGHT = 20


def trend_of(counts: Sequence[int], height: int = _HEIGHT) -> list[tuple[int, int, int]]:
    """Return `(x, y, height)` of the bars, 4 wide each; what is not zero is seen."""
    highest = max([*counts, 1])
    heights = [max(1, round(height * count / highest)) if count else 0 for count in counts]
    return [(index * 4, height - one, one) for index, one in enumerate(heights)]
