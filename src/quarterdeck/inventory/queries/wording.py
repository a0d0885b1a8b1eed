"""Full text: words and phrases over the index that both databases keep of `ItemText`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from quarterdeck.core.query import Text
from quarterdeck.inventory.queries.planning import planned_without
from quarterdeck.inventory.writing.derived import words

# The column and the table are made in the migration `0002_full_text`.
_POSTGRESQL = "SELECT item_id FROM inventory_itemtext WHERE vector @@ to_tsquery('simple', %s)"
_SQLITE = "SELECT rowid FROM inventory_itemtext_fts WHERE inventory_itemtext_fts MATCH %s"


def text_condition(text: Text) -> Q:
    """Return the items with these words next to each other. A bare word matches from its start, so `web` finds web01;
    a quoted phrase matches whole words. Text without any letter or digit matches nothing."""
    found = words(" ".join(text.value.pieces) if text.value.is_pattern else text.value.text)
    if not found:
        is_everything = text.value.is_pattern and not any(text.value.pieces)
        return Q() if is_everything else Q(pk__in=[])
    return matching(found, is_prefix=not text.value.quoted)


def matching(found: list[str], *, is_prefix: bool) -> Q:
    """Return the items that have the words in a row; the last one may be a prefix."""
    if connection.vendor == "postgresql":
        terms = [f"'{word}'" for word in found]
        terms[-1] += ":*" if is_prefix else ""
        return Q(pk__in=RawSQL(_POSTGRESQL, [" <-> ".join(terms)]))  # noqa: S611 - words are letters and digits only
    phrase = '"' + " ".join(found) + '"' + ("*" if is_prefix else "")
    return Q(pk__in=RawSQL(_SQLITE, [phrase]))  # noqa: S611 - words are letters and digits only


@contextmanager
def by_word_index() -> Iterator[None]:
    """Keep PostgreSQL from plans that test the words of one row after another, which it likes for a first few rows."""
    with planned_without("enable_indexscan", "enable_seqscan"):
        yield
