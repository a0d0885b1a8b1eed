"""Lines of any program over HTTP: plain text, or a JSON document on each line.

    POST /lines?service=NAME&host=NAME&source=NAME
    Content-Type: text/plain                 one line is one entry, stamped with the time of arrival
    Content-Type: application/x-ndjson       one JSON object on each line; names as in ECS or OpenTelemetry

The answer is 202 with `{"accepted": 2, "refused": 0}`; 400 when no line could be taken.
"""

from __future__ import annotations

import re

import msgspec
import orjson

from quarterdeck.telemetry.canonical import LogRow, Sender, frame_of_logs
from quarterdeck.telemetry.documents import OPTIONS, log_select
from quarterdeck.telemetry.receiving import Answer, Client, Frame, Receiver, Refused, Request, Route, Stream, Taken

_LINE_MAX_BYTES = 1 << 20
_NAME_MAX = 255
_STREAM = "lines.json"
_JSON = {
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/json",
    "application/json-lines",
}
_LEVEL = re.compile(r"\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRIT(?:ICAL)?|FATAL|ALERT|EMERG|PANIC)\b")
# How far into a line its level is looked for: behind a time, a thread and a class, not in the text.
_LEVEL_WITHIN = 96
_raw = msgspec.json.Decoder(msgspec.Raw)


def _given(request: Request) -> tuple[str, str, str]:
    """Return service, host and source that the sender names in the address."""
    query = request.query
    return query.get("service", "")[:_NAME_MAX], query.get("host", "")[:_NAME_MAX], query.get("source", "")[:_NAME_MAX]


def _take(request: Request) -> Taken:
    if request.media_type in _JSON:
        return _take_json(request)
    if request.media_type not in ("", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded"):
        raise Refused(
            f'"{request.media_type[:60]}" is neither text/plain nor application/x-ndjson', reason="type", status=415
        )
    return _take_text(request)


def _take_text(request: Request) -> Taken:
    service, host, source = _given(request)
    resource = {name: value for name, value in (("service.name", service), ("host.name", host)) if value}
    kind, name = ("host", host) if host else ("service", service)
    sender = Sender(kind, name, resource) if name else Sender()
    at_ns = int(request.now.timestamp() * 1_000_000) * 1000
    attributes = {"source": source} if source else {}
    lines = [line.rstrip("\r\0") for line in request.body.decode(errors="replace").split("\n")]
    rows = [
        # Lines that came together keep their order.
        LogRow(
            at_ns + at, line, service, host, level=_level(line), attributes=attributes, resource=resource, sender=sender
        )
        for at, line in enumerate(lines)
        if line.strip() and len(line) <= _LINE_MAX_BYTES
    ]
    too_long = sum(len(line) > _LINE_MAX_BYTES for line in lines)
    return _taken([frame_of_logs(rows)] if rows else [], len(rows), {"too_large": too_long} if too_long else {})


def _level(line: str) -> str:
    found = _LEVEL.search(line, 0, _LEVEL_WITHIN)
    return found[1] if found else ""


def _take_json(request: Request) -> Taken:
    """The head of a frame's lines is what the address names, a JSON array and a tab."""
    head = orjson.dumps(_given(request)) + b"\t"
    body = request.body.decode(errors="replace").encode()
    lines = [line.strip() for line in body.split(b"\n")]
    good = [line for line in lines if line and _is_object(line)]
    bad = sum(1 for line in lines if line) - len(good)
    frames = [Frame(_STREAM, head + (b"\n" + head).join(good), len(good))] if good else []
    return _taken(frames, len(good), {"malformed": bad} if bad else {})


def _is_object(line: bytes) -> bool:
    try:
        _raw.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return False
    return line[:1] == b"{" and len(line) <= _LINE_MAX_BYTES and b"\r" not in line


def _taken(frames: list[Frame], accepted: int, refused: dict[str, int]) -> Taken:
    bad = sum(refused.values())
    status = 400 if bad and not accepted else 202
    return Taken(
        frames, Answer(orjson.dumps({"accepted": accepted, "refused": bad}), status, "application/json"), refused
    )


_SOURCE = (
    "(SELECT JSONExtract(substring(line, 1, position(line, '\\t') - 1), 'Array(String)') AS given,"
    " substring(line, position(line, '\\t') + 1) AS doc FROM {input})"
)
_CURL = """\
journalctl --since -1h -o cat | curl --data-binary @- -H "Content-Type: text/plain" \\
    -H "Authorization: Bearer {key}" "{url}/lines?service=my-service&host=$(hostname)"
curl -H "Authorization: Bearer {key}" -H "Content-Type: application/x-ndjson" "{url}/lines?service=my-service" \\
    --data-binary '{"@timestamp": "2026-01-31T12:00:00Z", "log.level": "info", "message": "hello", "order": 42}'
"""

PLUGIN = Receiver(
    title="Lines over HTTP",
    signals=("logs",),
    routes=(Route(("POST", "PUT"), "/lines", _take),),
    streams={
        _STREAM: Stream(
            "logs_in",
            "LineAsString",
            "line String",
            log_select(
                _SOURCE,
                "given, ",
                service="given[1]",
                host="given[2]",
                attributes="if(given[3] = '', map(), map('source', given[3]))",
            ),
            options=OPTIONS,
        )
    },
    clients=(Client("curl", _CURL, language="shell"),),
)
