"""What a request asks for: its body in JSON, compressed or not, with what its address adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic import sorting
from quarterdeck.logs.elastic.bodies import a_truth, an_object, unsupported
from quarterdeck.telemetry.decoding import decode
from quarterdeck.telemetry.receiving import Refused

# Parameters that change what is looked for.
_SEARCH = (
    "q", "df", "default_operator", "size", "from", "sort", "_source", "_source_includes", "_source_excludes",
    "track_total_hits", "docvalue_fields",
)  # fmt: skip
# Parameters of a search that is read page by page.
_PAGES = ("scroll", "scroll_id", "keep_alive")
# Parameters that change how an answer is made or written; it is the same without.
_IDLE = (
    "allow_no_indices", "allow_partial_search_results", "analyze_wildcard", "batched_reduce_size",
    "ccs_minimize_roundtrips", "error_trace", "expand_wildcards", "filter_path", "flat_settings", "format", "h", "help",
    "human", "ignore_throttled", "ignore_unavailable", "include_defaults", "include_type_name", "lenient", "level",
    "local", "master_timeout", "max_concurrent_searches", "max_concurrent_shard_requests", "pre_filter_shard_size",
    "preference", "pretty", "request_cache", "rest_total_hits_as_int", "routing", "s", "search_type", "source",
    "source_content_type", "terminate_after", "timeout", "track_scores", "v", "version", "wait_for_status", "bytes",
    "health", "include_unmapped", "fields", "types", "filters", "include_empty_fields", "cluster_manager_timeout",
)  # fmt: skip


def _bytes(request: HttpRequest) -> bytes:
    """Return the body as it was before it was compressed. Raises BadQuery."""
    try:
        encoding = request.headers.get("Content-Encoding", "")
        return decode(request.body, encoding, int(settings.QD["request_max_mb"]) << 20) if encoding else request.body
    except Refused as error:
        raise BadQuery(str(error)) from error


def _parsed(content: bytes | str, place: str) -> Mapping[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadQuery(_("the body is no JSON: %(why)s") % {"why": str(error)[:200]}) from error
    return an_object(found, place)


def parameters(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of the address. Raises BadQuery for one that is not known."""
    found = {name: value for name, value in request.GET.items() if isinstance(value, str)}
    for name in found:
        if name not in _SEARCH and name not in _IDLE and name not in _PAGES:
            raise unsupported(request.path[:60], name, (*_SEARCH, *_IDLE, *_PAGES))
    return found


def is_lenient(request: HttpRequest) -> bool:
    """Whether an index may be missing."""
    return a_truth(request.GET.get("ignore_unavailable", False), "ignore_unavailable")


def body_of(request: HttpRequest) -> dict[str, Any]:
    """Return the body of a search or count, with what the address adds. Raises BadQuery."""
    given = parameters(request)
    content = _bytes(request).strip() or given.get("source", "").strip().encode()
    body = dict(_parsed(content, "body")) if content else {}
    if query := given.get("q"):
        string = {"query": query, "default_operator": given.get("default_operator", "or")}
        body["query"] = {"query_string": {**string, **({"default_field": given["df"]} if given.get("df") else {})}}
    for name in ("size", "from", "track_total_hits"):
        if given.get(name):
            body[name] = given[name]
    if given.get("sort"):
        body["sort"] = sorting.of_address(given["sort"])
    if given.get("docvalue_fields"):
        body["docvalue_fields"] = given["docvalue_fields"].split(",")
    return {**body, **_source(given)}


def _source(given: Mapping[str, str]) -> dict[str, Any]:
    plain = given.get("_source", "")
    if plain in ("true", "false"):
        return {"_source": plain == "true"}
    includes = [*filter(None, plain.split(",")), *filter(None, given.get("_source_includes", "").split(","))]
    excludes = list(filter(None, given.get("_source_excludes", "").split(",")))
    return {"_source": {"includes": includes, "excludes": excludes}} if includes or excludes else {}


def searches(request: HttpRequest) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield (header, body) of each search of `_msearch`: lines in turn. Raises BadQuery."""
    parameters(request)
    lines = _bytes(request).removesuffix(b"\n").split(b"\n")
    if len(lines) % 2 or lines == [b""]:
        raise BadQuery(_("a header and a body are expected in turn, a line each"))
    for at in range(0, len(lines), 2):
        yield _parsed(lines[at].strip() or b"{}", "header"), _parsed(lines[at + 1], "body")
