"""Reading many hits page by page: `scroll`, and a point in time with `search_after`.

See https://www.elastic.co/docs/reference/elasticsearch/rest-apis/paginate-search-results
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.api.elasticsearch import contexts
from quarterdeck.api.elasticsearch.contexts import close, context, frozen_of, keep_of, open_context, turn_page
from quarterdeck.api.models import SearchContext
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic import searching
from quarterdeck.logs.elastic.bodies import a_text, an_object, expected, texts
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.logs.elastic.searching import Frozen

# Only the first page has them.
_ONCE = ("aggs", "aggregations")


def first_page(actor: Actor, index: str, body: dict[str, Any], keep: str, *, is_lenient: bool) -> dict[str, Any]:
    """Answer `_search?scroll=1m`. Raises as `searching.search`, and TooMany."""
    if body.get("from") not in (None, 0, "0"):
        raise BadQuery(_("[from] must be 0 with [%(what)s]") % {"what": "scroll"})
    if body.get("search_after") is not None or body.get("pit"):
        raise BadQuery(_("[search_after] and [pit] cannot be used in a scroll"))
    if body.get("size") in (0, "0"):
        raise BadQuery(_("[size] cannot be [0] in a scroll context"))
    length, reader = keep_of(keep, "scroll"), Reader(actor)
    # What cannot be asked takes no place.
    reader.of_index(index, is_lenient=is_lenient)
    one = open_context(actor, "scroll", index, {**body, "is_lenient": is_lenient}, length)
    try:
        return _page(actor, one, body)
    except Exception:
        one.delete()
        raise


def next_page(actor: Actor, key: object, keep: object) -> dict[str, Any]:
    """Answer `_search/scroll`. Raises NoContext, Conflict and as `searching.search`."""
    one = context(actor, "scroll", key)
    if keep:
        contexts.prolong(one, keep_of(keep, "scroll"))
    return _page(actor, one, {name: value for name, value in one.body.items() if name not in _ONCE})


def _page(actor: Actor, one: SearchContext, body: dict[str, Any]) -> dict[str, Any]:
    asked = {name: value for name, value in body.items() if name != "is_lenient"}
    is_lenient = bool(one.body.get("is_lenient"))
    found = searching.search_in(Reader(actor), one.index, asked, frozen_of(one), is_lenient=is_lenient)
    turn_page(one, found.position, found.answer["hits"].get("total"))
    return {"_scroll_id": one.key, **found.answer}


def point(actor: Actor, index: str, keep: str, *, is_lenient: bool) -> dict[str, Any]:
    """Answer `_pit`. Raises BadQuery, NoIndex, TooMany."""
    length = keep_of(keep, "keep_alive")
    Reader(actor).of_index(index, is_lenient=is_lenient)
    one = open_context(actor, "pit", index, {"is_lenient": is_lenient}, length)
    return {"id": one.key, "_shards": searching.SHARDS}


def at_point(actor: Actor, index: str, body: dict[str, Any]) -> dict[str, Any]:
    """Answer `_search` with `pit`. Raises NoContext and as `searching.search`."""
    given = an_object(body["pit"], "pit", ("id", "keep_alive"))
    if index:
        raise BadQuery(_("[indices] cannot be used with point in time"))
    one = context(actor, "pit", given.get("id"))
    if given.get("keep_alive"):
        contexts.prolong(one, keep_of(given["keep_alive"], "keep_alive"))
    asked = {name: value for name, value in body.items() if name != "pit"}
    is_lenient = bool(one.body.get("is_lenient"))
    found = searching.search_in(Reader(actor), one.index, asked, Frozen(one.opened), is_lenient=is_lenient)
    return {"pit_id": one.key, **found.answer}


def forgotten(actor: Actor, kind: str, keys: Sequence[str] | None) -> tuple[dict[str, Any], int]:
    """Answer DELETE: the body and the status, 404 when there is none of them."""
    count = close(actor, kind, keys)
    return {"succeeded": True, "num_freed": count}, 200 if count else 404


def keys_of(given: object, place: str) -> list[str] | None:
    """Return the ids of a body or an address; None for `_all`. Raises BadQuery."""
    if not given:
        raise expected(place, _("the id that was answered"), given)
    found = [a_text(one, place) for one in texts(given, place)]
    return None if "_all" in found else found
