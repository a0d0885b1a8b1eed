"""Pages over what is read newest first: the cursor is the last row's id, so page 1,000 costs what page 1 does."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)


def newest_first(rows: QuerySet[M], after: str, limit: int = 50) -> tuple[list[M], str]:
    """Return a page of `rows` by falling id, and the cursor of the next page ("" at the end)."""
    if after.isdecimal():
        rows = rows.filter(pk__lt=int(after))
    found = list(rows.order_by("-pk")[: limit + 1])
    return found[:limit], str(found[limit - 1].pk) if len(found) > limit else ""
