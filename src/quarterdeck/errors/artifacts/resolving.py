"""Events of minified JavaScript with the frames of the source: function, file, line and the lines around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symbolic.sourcemapcache import SourceMapCacheToken

from quarterdeck.errors.artifacts import maps
from quarterdeck.errors.artifacts.maps import Found
from quarterdeck.errors.artifacts.unpacking import as_debug_id
from quarterdeck.telemetry.receivers.sentry.grouping import frames_of, programs_of
from quarterdeck.telemetry.receivers.sentry.values import mapping, objects, text, whole

PLATFORMS = frozenset({"javascript", "node"})
CONTEXT_LINES = 5
# An event may name thousands of programs, each of which would be looked for.
PROGRAMS_MAX = 50
_LINE_MAX = 2**31
# webpack://shop/./src/pay.js?f00d, turbopack:///[project]/src/pay.js
_BUNDLER = re.compile(r"^[\w+.-]+://[^/]*/+(?:\[[^\]/]*\]/)?")
_LIBRARY = re.compile(r"(?:^|/)(?:node_modules|bower_components)/|^webpack/(?:bootstrap|runtime)")


@dataclass(frozen=True, slots=True)
class Resolved:
    """An event with `count` frames resolved. `missing` are programs without a map, `broken` what is wrong with maps."""

    payload: Mapping[str, Any]
    count: int
    missing: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


class _Programs:
    """The source maps of an event's programs, each looked for once."""

    def __init__(self, payload: Mapping[str, Any], project: int) -> None:
        self._where = (project, text(payload.get("release"), 255), text(payload.get("dist"), 64))
        self._ids = {where: as_debug_id(found) for where, found in programs_of(payload).items()}
        self._found: dict[str, Found | None] = {}

    def of(self, address: str) -> Found | None:
        if address not in self._found and len(self._found) >= PROGRAMS_MAX:
            return None
        if address not in self._found:
            self._found[address] = maps.map_of(*self._where, address, self._ids.get(address, ""))
        return self._found[address]

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(address for address, found in self._found.items() if found is None)

    @property
    def broken(self) -> tuple[str, ...]:
        return tuple(f"{one.url}: {one.problem}" for one in self._found.values() if one and one.problem)


def resolved(payload: Mapping[str, Any], project: int) -> Resolved:
    """Return an event with those frames resolved of which there is a source map; others stay as they are."""
    if text(payload.get("platform")) not in PLATFORMS:
        return Resolved(payload, 0)
    programs, fresh, count = _Programs(payload, project), dict(payload), 0
    for name in ("exception", "threads"):
        values = []
        for holder in objects(payload.get(name)):
            inner, found = _holder(holder, programs)
            values.append(inner)
            count += found
        if values:
            fresh[name] = {"values": values}
    if frames_of(payload):
        own, found = _holder(payload, programs)
        fresh["stacktrace"] = own["stacktrace"]
        count += found
    return Resolved(fresh if count else payload, count, programs.missing, programs.broken)


def _holder(holder: Mapping[str, Any], programs: _Programs) -> tuple[dict[str, Any], int]:
    frames, count = [], 0
    for frame in frames_of(holder):
        found = _frame(frame, programs)
        count += found is not None
        frames.append(found or frame)
    if not count:
        return dict(holder), 0
    return {**holder, "stacktrace": {**mapping(holder.get("stacktrace")), "frames": frames}}, count


def address_of(frame: Mapping[str, Any]) -> str:
    """Return where a frame's program is from, "" for what has no map: Node's own modules, code without a file."""
    address = text(frame.get("abs_path") or frame.get("filename"), 1000)
    return "" if address.startswith(("node:", "<", "[")) else address


def _frame(frame: dict[str, Any], programs: _Programs) -> dict[str, Any] | None:
    line, column = whole(frame.get("lineno"), _LINE_MAX), whole(frame.get("colno"), _LINE_MAX)
    address = address_of(frame)
    if not (line and column and address) or _LIBRARY.search(address):
        return None
    found = programs.of(address)
    token = found.cache.lookup(line, column, CONTEXT_LINES) if found and found.cache else None
    if not found or token is None or not token.src:
        return None
    return _rewritten(frame, token, found, f"{address}:{line}:{column}")


def _rewritten(frame: dict[str, Any], token: SourceMapCacheToken, found: Found, raw: str) -> dict[str, Any]:
    path = source_path(token.src or "")
    kept = {name: value for name, value in frame.items() if name not in ("module", "vars")}
    fresh = {
        **kept,
        "function": token.function_name or frame.get("function"),
        "filename": path,
        "abs_path": token.src,
        "lineno": token.line,
        "colno": token.col,
        "in_app": not _LIBRARY.search(path) and frame.get("in_app") is not False,
        "data": {**mapping(frame.get("data")), "sourcemap": found.url, "raw": raw},
    }
    if isinstance(frame.get("vars"), dict):
        fresh["vars"] = frame["vars"]
    for name in ("context_line", "pre_context", "post_context"):
        fresh.pop(name, None)
    if token.context_line is not None:
        fresh["context_line"] = token.context_line.rstrip("\n")
        fresh["pre_context"] = [line.rstrip("\n") for line in token.pre_context]
        fresh["post_context"] = [line.rstrip("\n") for line in token.post_context]
    return fresh


def source_path(source: str) -> str:
    """Return a source's path as in the repository: "webpack://shop/./src/pay.js?1" is "src/pay.js"."""
    path = _BUNDLER.sub("", source).partition("?")[0]
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return "/".join(parts) or source
