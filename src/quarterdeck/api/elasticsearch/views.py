"""One function for each address. What is not known answers in Elasticsearch's words, too."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from quarterdeck.access.actors import WITH_API_KEY
from quarterdeck.api.auth import identify
from quarterdeck.api.elasticsearch import asked, paging
from quarterdeck.api.elasticsearch.answers import answer, failure, problem
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, BadQuery, OpsError
from quarterdeck.logs.elastic import mapping, searching
from quarterdeck.logs.elastic.bodies import Body, a_truth, texts
from quarterdeck.logs.elastic.reading import Reader
from quarterdeck.telemetry.receivers.elasticsearch.probes import HEALTH, ROOT

SEARCHES_MAX = 50

Answer = Callable[..., Any]


def view_of(make: Answer, methods: Collection[str] = ("GET", "POST", "HEAD")) -> Callable[..., HttpResponse]:
    """Make a view of a function that returns what is written as JSON, or a text, perhaps with a status."""

    @wraps(make)
    def view(request: HttpRequest, **named: str) -> HttpResponse:
        try:
            actor = identify(request, WITH_API_KEY)
            if request.method not in methods:
                raise _wrong_method(request)
            made = make(request, actor, **named)
            return answer(request, *made) if isinstance(made, tuple) else answer(request, made)
        except OpsError as error:
            return failure(request, error)

    return csrf_exempt(view)


def _wrong_method(request: HttpRequest) -> BadInput:
    return BadInput(
        _("[%(method)s] is not supported here: logs are read at this address") % {"method": str(request.method)[:20]},
        hint=_("documents are sent to the intake, see its page"),
    )


def root_(request: HttpRequest, _actor: Actor) -> Any:
    return ROOT


def search_(request: HttpRequest, actor: Actor, index: str = "") -> Any:
    body = asked.body_of(request)
    is_old = a_truth(request.GET.get("rest_total_hits_as_int", False), "rest_total_hits_as_int")
    if is_old:
        body.setdefault("track_total_hits", True)
    lenient = asked.is_lenient(request)
    if request.GET.get("scroll"):
        found = paging.first_page(actor, index, body, request.GET["scroll"], is_lenient=lenient)
    elif body.get("pit"):
        found = paging.at_point(actor, index, body)
    else:
        found = searching.search(Reader(actor), index, body, is_lenient=lenient)
    return old(found) if is_old else found


def old(found: dict[str, Any]) -> dict[str, Any]:
    """Write the total as version 6 did."""
    if "total" in found["hits"]:
        found["hits"]["total"] = found["hits"]["total"]["value"]
    return found


def scroll_(request: HttpRequest, actor: Actor, scroll_id: str = "") -> Any:
    """Answer the next page, or forget."""
    body = {**request.GET.dict(), **asked.body_of(request)}
    key = body.get("scroll_id") or scroll_id
    if request.method == "DELETE":
        return paging.forgotten(actor, "scroll", paging.keys_of(key, "scroll_id"))
    found = paging.next_page(actor, key, body.get("scroll"))
    return old(found) if a_truth(body.get("rest_total_hits_as_int", False), "rest_total_hits_as_int") else found


def pit_(request: HttpRequest, actor: Actor, index: str = "") -> Any:
    """Open a point in time, or forget one."""
    if request.method == "DELETE":
        return paging.forgotten(actor, "pit", paging.keys_of(asked.body_of(request).get("id"), "id"))
    if not index:
        raise _no_handler(request)
    keep = asked.parameters(request).get("keep_alive", "")
    return paging.point(actor, index, keep, is_lenient=asked.is_lenient(request))


def msearch_(request: HttpRequest, actor: Actor, index: str = "") -> Any:
    """Each search has an answer or a failure of its own."""
    reader, found = Reader(actor), []
    pairs = list(asked.searches(request))
    if len(pairs) > SEARCHES_MAX:
        raise BadQuery(_("[%(place)s] has %(found)d searches, at most %(max)d are allowed") % {
            "place": "_msearch", "found": len(pairs), "max": SEARCHES_MAX,
        })  # fmt: skip
    is_old = a_truth(request.GET.get("rest_total_hits_as_int", False), "rest_total_hits_as_int")
    for header, body in pairs:
        try:
            made = searching.search(reader, _index(header, index), body, is_lenient=_is_lenient(header, request))
            found.append({**(old(made) if is_old else made), "status": 200})
        except OpsError as error:
            found.append(problem(error))
    return {"took": sum(one.get("took", 0) for one in found), "responses": found}


def _index(header: Body, usual: str) -> str:
    given = header.get("index")
    return ",".join(texts(given, "index")) if given else usual


def _is_lenient(header: Body, request: HttpRequest) -> bool:
    return a_truth(header.get("ignore_unavailable", False), "ignore_unavailable") or asked.is_lenient(request)


def count_(request: HttpRequest, actor: Actor, index: str = "") -> Any:
    return searching.count(Reader(actor), index, asked.body_of(request), is_lenient=asked.is_lenient(request))


def mapping_(request: HttpRequest, actor: Actor, index: str = "") -> Any:
    asked.parameters(request)
    return mapping.mapping(Reader(actor), index, is_lenient=asked.is_lenient(request))


def field_caps_(request: HttpRequest, actor: Actor, index: str = "") -> Any:
    """Fields are named in the address, or in the body."""
    given = asked.parameters(request).get("fields", "")
    wanted = texts(given.split(",") if given else asked.body_of(request).get("fields", ["*"]), "fields")
    return mapping.capabilities(Reader(actor), index, wanted, is_lenient=asked.is_lenient(request))


def index_(request: HttpRequest, actor: Actor, index: str) -> Any:
    """Tell what an index is like: its mapping."""
    if index.startswith("_"):
        raise _no_handler(request)
    found = mapping.mapping(Reader(actor), index, is_lenient=asked.is_lenient(request))
    return {name: {"aliases": {}, **one, "settings": {}} for name, one in found.items()}


def indices_(request: HttpRequest, actor: Actor, index: str = "") -> Any:
    """List the indices: as JSON with `format=json`, else a line each with its name and the count of its lines."""
    given = asked.parameters(request)
    rows = mapping.indices(Reader(actor), index, is_lenient=asked.is_lenient(request))
    if given.get("format") == "json" or re.match(r"application/(json|vnd)", request.headers.get("Accept", "")):
        return [
            {"health": "green", "status": "open", "index": name, "docs.count": str(count), "pri": "1", "rep": "0"}
            for name, count in rows
        ]
    head = "health status index docs.count\n" if a_truth(given.get("v", False), "v") else ""
    return head + "".join(f"green open {name} {count}\n" for name, count in rows)


def health_(request: HttpRequest, _actor: Actor, index: str = "") -> Any:
    return HEALTH


def unknown_(request: HttpRequest, _actor: Actor, path: str) -> Any:
    raise _no_handler(request)


def _no_handler(request: HttpRequest) -> BadInput:
    sends = re.search(r"/(_bulk|_doc|_create|_update)\b", request.path)
    known = "_search, _search/scroll, _pit, _msearch, _count, _mapping, _field_caps, _cat/indices, _cluster/health"
    return BadInput(
        _("no handler found for uri [%(path)s]") % {"path": request.path[:200]},
        hint=_("documents are sent to the intake, see its page") if sends else known,
    )


root, search, msearch, count = view_of(root_), view_of(search_), view_of(msearch_), view_of(count_)
field_mapping, field_caps, index = view_of(mapping_), view_of(field_caps_), view_of(index_)
indices, health, unknown = view_of(indices_), view_of(health_), view_of(unknown_)
scroll, pit = view_of(scroll_, ("GET", "POST", "DELETE")), view_of(pit_, ("POST", "DELETE"))
