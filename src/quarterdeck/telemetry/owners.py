"""Whose a series, line or span is: an item's own id, or the key of a sender that is bound to the item.

Telemetry knows no inventory. Who stands above both tells here which senders belong to an item, so that merging,
splitting or re-binding items moves all that they ever sent, without a row being touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

# The top bit tells a sender's key from an item's id. See schema/0002_intake.sql.
SENDER_BIT = 1 << 63

Resolver = Callable[[Sequence[int]], dict[int, list[int]]]


def _none(items: Sequence[int]) -> dict[int, list[int]]:
    return {}


_resolve: Resolver = _none


def register(resolve: Resolver) -> None:
    """Let `resolve(item ids)` return `{item id: [sender keys]}`."""
    global _resolve
    _resolve = resolve


def owners_of(items: Sequence[int]) -> dict[int, int]:
    """Return `{owner: item id}` of everything that the items' telemetry may stand under: themselves, their senders."""
    found = {item: item for item in items}
    for item, senders in _resolve(items).items():
        found.update(dict.fromkeys(senders, item))
    return found
