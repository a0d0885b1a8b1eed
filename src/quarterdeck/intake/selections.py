"""Which hosts an inventory query selects, for receivers that answer hosts differently: read now and again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import BadQuery
from quarterdeck.inventory import queries
from quarterdeck.inventory.models import Identity

log = logging.getLogger(__name__)
# Agents ask for their items every minute or two.
_REFRESH_SECONDS = 30.0


class Selections:
    """The names (lower case) of the items that each query selects; the last ones stay while records do not answer."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._names: dict[str, frozenset[str]] = dict.fromkeys(wanted, frozenset())
        self._read_at = -_REFRESH_SECONDS

    def has(self, query: str, name: str) -> bool:
        """Return whether `query` selects the item that is called `name` or has it as a host name."""
        return name.lower() in self._names.get(query, ())

    def refresh(self) -> None:
        """Read the names if they are old. Raises DatabaseError."""
        if time.monotonic() - self._read_at < _REFRESH_SECONDS:
            return
        self._names = {query: _names(query) for query in self._names}
        self._read_at = time.monotonic()


def _names(query: str) -> frozenset[str]:
    try:
        found = queries.items(SYSTEM, query)
    except BadQuery as error:
        log.warning("no host is selected by %r: %s", query, error.message)
        return frozenset()
    ids = found.order_by().values("pk")
    hosts = Identity.objects.filter(item_id__in=ids, kind="hostname").values_list("value", flat=True)
    return frozenset(name.lower() for name in (*found.values_list("name", flat=True), *hosts))
