"""Scrolls and points in time: what a client reads page by page, while lines come in.

They are rows among the records, so that any web process answers the next page. Each caller holds a bounded number, for
as long as he says; what is gone is told as Elasticsearch tells it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.api.auth import caller_key
from quarterdeck.api.models import SearchContext
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadQuery, Conflict, NotFound, TooMany
from quarterdeck.logs.elastic.searching import Frozen, Position

CONTEXTS_MAX = 50
KEEP_MAX_SECONDS = 24 * 3600
_UNITS_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LENGTH = re.compile(r"(\d{1,9})(ms|s|m|h|d)")


class NoContext(NotFound):
    """The scroll or point in time is gone, or another's."""


def keep_of(given: object, place: str) -> timedelta:
    """Return how long `1m` is. Raises BadQuery, also for more than a day."""
    found = _LENGTH.fullmatch(str(given or ""))
    seconds = int(found[1]) * _UNITS_SECONDS[found[2]] if found else 0
    if not 0 < seconds <= KEEP_MAX_SECONDS:
        raise BadQuery(
            _("[%(place)s] takes %(what)s, and found [%(found)s]")
            % {"place": place, "what": "1m, 1h, 1d", "found": str(given)[:60]}
        )
    return timedelta(seconds=seconds)


def open_context(actor: Actor, kind: str, index: str, body: dict[str, Any], keep: timedelta) -> SearchContext:
    """Keep what is asked. Raises TooMany when the caller holds CONTEXTS_MAX."""
    at, caller = now(), caller_key(actor)
    SearchContext.objects.filter(caller=caller, expires_at__lt=at).delete()
    if SearchContext.objects.filter(caller=caller).count() >= CONTEXTS_MAX:
        raise TooMany(
            _("Trying to create too many scroll contexts. Must be less than or equal to: [%(max)d].")
            % {"max": CONTEXTS_MAX},
            hint=_("clear those that are read, or wait until they end"),
            retry_after_seconds=30,
        )
    return SearchContext.objects.create(
        key=secrets.token_urlsafe(32), caller=caller, kind=kind, index=index[:2000], body=body,
        opened=int(at.timestamp()), expires_at=at + keep,
    )  # fmt: skip


def context(actor: Actor, kind: str, key: object) -> SearchContext:
    """Return a context that lives. Raises NoContext."""
    alive = SearchContext.objects.filter(caller=caller_key(actor), kind=kind, expires_at__gt=now())
    found = alive.filter(key=key[:64]).first() if isinstance(key, str) else None
    if found is None:
        raise NoContext(_("No search context found for id [%(id)s]") % {"id": str(key)[:64]})
    return found


def prolong(one: SearchContext, keep: timedelta) -> None:
    SearchContext.objects.filter(pk=one.pk).update(expires_at=now() + keep)


def frozen_of(one: SearchContext) -> Frozen:
    known = one.position
    position = Position(known["sort"], known["same"]) if known.get("sort") is not None else None
    return Frozen(one.opened, position, known.get("total"), is_scroll=True)


def turn_page(one: SearchContext, position: Position | None, total: dict[str, Any] | None) -> None:
    """Note how far it was read. Raises Conflict when somebody else has read the same page meanwhile."""
    known = {**one.position, **({"total": total} if total else {})}
    if position:
        known |= {"sort": position.sort, "same": position.same}
    same = SearchContext.objects.filter(pk=one.pk, page=one.page)
    if not same.update(position=known, page=one.page + 1):
        raise Conflict(_("the next page of this scroll is read already"), hint=_("read one page behind the other"))


def close(actor: Actor, kind: str, keys: Sequence[str] | None) -> int:
    """Forget contexts, all of the caller's where `keys` is None; return how many there were."""
    mine = SearchContext.objects.filter(caller=caller_key(actor), kind=kind)
    chosen = mine if keys is None else mine.filter(key__in=[key[:64] for key in keys[:1000]])
    return chosen.delete()[0]
