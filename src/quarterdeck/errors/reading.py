"""An event's JSON as it is shown: exceptions with their frames, breadcrumbs, the request, contexts.

SDKs write what they like, and so do those who are no SDKs: whatever is not as it should be is left out.
See https://develop.sentry.dev/sdk/foundations/data-model/event-payloads/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from quarterdeck.telemetry.receivers.sentry.grouping import frames_of
from quarterdeck.telemetry.receivers.sentry.values import first, mapping, number, objects, text, unix_ns

EXCEPTIONS_MAX, FRAMES_MAX, CRUMBS_MAX, PAIRS_MAX = 50, 250, 200, 200
_TEXT_MAX = 4000
_DEPTH_MAX = 4
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Frame:
    """A call. `lines` are `(number, text, is_the_line)` of the source around it; `variables` are those of the call.

    `raw` is where it is in the minified program, where a source map told the source.
    """

    function: str
    module: str
    filename: str
    path: str
    line: int
    column: int
    is_in_app: bool
    lines: list[tuple[int, str, bool]] = field(default_factory=list)
    variables: Pairs = field(default_factory=list)
    raw: str = ""

    @property
    def where(self) -> str:
        return self.module or self.filename or self.path

    @property
    def has_more(self) -> bool:
        return bool(self.lines or self.variables)


@dataclass(frozen=True, slots=True)
class Thrown:
    """An exception of the chain with its calls, the innermost first. `is_handled` is None where nobody says so."""

    type: str
    value: str
    module: str
    mechanism: str
    is_handled: bool | None
    frames: list[Frame]

    @property
    def has_in_app(self) -> bool:
        return any(frame.is_in_app for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Crumb:
    """What the program did before."""

    at: datetime | None
    category: str
    level: str
    message: str
    data: Pairs


@dataclass(frozen=True, slots=True)
class Section:
    """Named values: a context, the headers of a request."""

    name: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    sections: list[Section]
    body: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An event in parts. `thrown` begins with the exception that was not caught, its causes follow."""

    thrown: list[Thrown]
    crumbs: list[Crumb]
    request: Request | None
    user: Pairs
    contexts: list[Section]
    packages: Pairs


def read(payload: Mapping[str, Any]) -> Reading:
    """Take an event apart."""
    contexts = [
        Section(name, pairs_of(value)) for name, value in _items(payload.get("contexts")) if isinstance(value, dict)
    ]
    extra = pairs_of(payload.get("extra"))
    return Reading(
        list(_thrown(payload)),
        list(_crumbs(payload)),
        _request(mapping(payload.get("request"))),
        pairs_of(payload.get("user")),
        [section for section in [*contexts, Section("extra", extra)] if section.pairs],
        [(text(name), text(version)) for name, version in _items(payload.get("modules"))],
    )


def _items(value: Any) -> list[tuple[str, Any]]:
    return [(text(name), inner) for name, inner in list(mapping(value).items())[:PAIRS_MAX]]


def pairs_of(value: Any, prefix: str = "", depth: int = 0) -> Pairs:
    """Return an object's leaves as `("os.name", "Linux")`, at most 200 of them; lists are kept as JSON."""
    if isinstance(value, list) and all(isinstance(one, list) and len(one) == 2 for one in value):
        value = {text(one[0]): one[1] for one in value}
    found: Pairs = []
    for name, inner in _items(value):
        if isinstance(inner, dict) and inner and depth < _DEPTH_MAX:
            found += pairs_of(inner, f"{prefix}{name}.", depth + 1)
        elif shown := text(inner, _TEXT_MAX):
            found.append((f"{prefix}{name}", shown))
    return found[:PAIRS_MAX]


def _thrown(payload: Mapping[str, Any]) -> Iterable[Thrown]:
    exceptions = objects(payload.get("exception"))[-EXCEPTIONS_MAX:]
    for one in reversed(exceptions):
        mechanism = mapping(one.get("mechanism"))
        handled = mechanism.get("handled")
        yield Thrown(
            text(one.get("type")),
            text(one.get("value"), _TEXT_MAX),
            text(one.get("module")),
            text(mechanism.get("type")),
            handled if isinstance(handled, bool) else None,
            _frames(one),
        )
    if not exceptions:
        threads = [one for one in objects(payload.get("threads")) if frames_of(one)]
        chosen = [one for one in threads if one.get("crashed") is True] or threads
        for holder in (payload, *chosen[:1]):
            if frames := _frames(holder):
                yield Thrown("", "", "", "", None, frames)


def _frames(holder: Mapping[str, Any]) -> list[Frame]:
    found = [_frame(one) for one in frames_of(holder)[-FRAMES_MAX:]]
    return found[::-1]


def _frame(frame: Mapping[str, Any]) -> Frame:
    line = _whole(frame.get("lineno"))
    return Frame(
        text(frame.get("function")),
        text(frame.get("module")),
        text(frame.get("filename"), 1000),
        text(frame.get("abs_path"), 1000),
        line,
        _whole(frame.get("colno")),
        frame.get("in_app") is True,
        list(_lines(frame, line)),
        pairs_of(frame.get("vars"), depth=_DEPTH_MAX),
        text(mapping(frame.get("data")).get("raw"), 1000),
    )


def _whole(value: Any) -> int:
    found = number(value)
    return int(found) if found is not None and 0 < found < 2**31 else 0


def _lines(frame: Mapping[str, Any], line: int) -> Iterable[tuple[int, str, bool]]:
    """Yield the source around a call; minified code has lines of megabytes."""
    if not isinstance(frame.get("context_line"), str):
        return
    before, after = (_texts(frame.get(name)) for name in ("pre_context", "post_context"))
    for offset, content in enumerate(before, -len(before)):
        yield line + offset, content, False
    yield line, text(frame["context_line"], 500), True
    for offset, content in enumerate(after, 1):
        yield line + offset, content, False


def _texts(value: Any) -> list[str]:
    return [text(one, 500) for one in value[:50]] if isinstance(value, list) else []


def _crumbs(payload: Mapping[str, Any]) -> Iterable[Crumb]:
    for one in objects(payload.get("breadcrumbs"))[-CRUMBS_MAX:]:
        at_ns = unix_ns(one.get("timestamp"))
        yield Crumb(
            datetime.fromtimestamp(at_ns / 1e9, UTC) if at_ns else None,
            first(one, "category", "type"),
            text(one.get("level"), 20),
            text(one.get("message"), _TEXT_MAX),
            pairs_of(one.get("data")),
        )


def _request(request: Mapping[str, Any]) -> Request | None:
    if not request:
        return None
    named = {
        "query": request.get("query_string"),
        "headers": request.get("headers"),
        "cookies": request.get("cookies"),
        "environment": request.get("env"),
    }
    sections = [
        Section(name, [("", value[:_TEXT_MAX])] if isinstance(value, str) else pairs_of(value))
        for name, value in named.items()
        if value
    ]
    body = request.get("data")
    return Request(
        text(request.get("method"), 20), text(request.get("url"), 2000), sections, text(body, _TEXT_MAX) if body else ""
    )
