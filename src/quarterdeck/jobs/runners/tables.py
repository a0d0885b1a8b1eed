"""Rows as the text that a runner prints: aligned, so that equal rows are equal text."""

from __future__ import annotations

from collections.abc import Sequence


def lines(rows: Sequence[Sequence[str]], titles: Sequence[str] = ()) -> bytes:
    """Return rows as aligned columns, below `titles` where there are any; nothing for no rows."""
    if not rows:
        return b""
    found = [list(titles), *map(list, rows)] if titles else [list(row) for row in rows]
    widths = [max(len(row[column]) for row in found if column < len(row)) for column in range(max(map(len, found)))]
    text = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in found)
    return "".join(f"{line}\n" for line in text).encode(errors="replace")
