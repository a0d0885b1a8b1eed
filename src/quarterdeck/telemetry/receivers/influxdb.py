r"""InfluxDB's line protocol over HTTP, as version 1 (`/write`) and version 2 (`/api/v2/write`) take it.

`cpu,host=web1 user=1.5,idle=98i 1700000000000000000` is the metrics `cpu_user` and `cpu_idle` with the label `host`; a
field called `value` has its measurement's name alone. Version 1's database is the label `db`. Strings are skipped,
booleans are 0 and 1. The sender is the host that the tag `host` names (Telegraf's), else the peer. As InfluxDB does,
the good lines of a request are kept when others are bad, and the answer says what is wrong with the first of those.

Proven with the Python clients of both versions, influxdb and influxdb-client. Telegraf is neither in Debian nor in a
package registry and has not been tried.
See https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import orjson

from quarterdeck.telemetry import senders
from quarterdeck.telemetry.canonical import MetricRow, frame_of_metrics
from quarterdeck.telemetry.naming import LABELS_MAX, VALUE_MAX, label_name, metric_name
from quarterdeck.telemetry.receiving import Answer, Client, Problem, Receiver, Refused, Request, Route, Taken

_JSON = "application/json"
# Written out loop by loop, so that no text makes the matcher go back and forth.
_NAME = r"[^,=\s\\]*(?:\\[^\n][^,=\s\\]*)*"
_TAG_VALUE = r"[^,\s\\]*(?:\\[^\n][^,\s\\]*)*"
_MEASUREMENT = re.compile(r"[^,\s\\]*(?:\\[^\n][^,\s\\]*)*")
_TAG = re.compile(rf",({_NAME})=({_TAG_VALUE})")
_FIELD = re.compile(rf'({_NAME})=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^,\s"]+))', re.DOTALL)
_TIME = re.compile(r"[ \t]+(-?\d{1,20})")
_ESCAPED = re.compile(r"\\([,= \\])")
_INTEGER = re.compile(r"[+-]?\d{1,20}[iu]\Z")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
_TRUE, _FALSE = frozenset({"t", "T", "true", "True", "TRUE"}), frozenset({"f", "F", "false", "False", "FALSE"})
# How many of one unit are a second.
_PRECISIONS = {
    "": 10**9, "n": 10**9, "ns": 10**9, "u": 10**6, "us": 10**6, "µ": 10**6, "ms": 10**3, "s": 1,
}  # fmt: skip
_LONG_PRECISIONS_MS = {"m": 60_000, "h": 3_600_000}
_LATEST_MS = 4_102_444_800_000
_FIELDS_MAX = 10_000


class _Reader:
    """Reads one request's text from front to back."""

    def __init__(self, text: str, precision: str, now_ms: int, address: str, more: Mapping[str, str]) -> None:
        self._text = text
        self._precision = precision
        self._now_ms = now_ms
        self._address = address
        self._more = more
        self.rows: list[MetricRow] = []
        self.errors: list[str] = []

    def read(self) -> None:
        at, end = 0, len(self._text)
        while at < end:
            if self._text[at] in "\r\n\t ":
                at += 1
            elif self._text[at] == "#":
                at = self._line_end(at)
            else:
                at = self._read_line(at)

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        return len(self._text) if end < 0 else end

    def _read_line(self, start: int) -> int:
        try:
            rows, end = self._line(start)
        except Refused as error:
            end = self._line_end(start)
            self.errors.append(f"unable to parse '{self._text[start : min(end, start + 200)]}': {error.message}")
            return end
        self.rows += rows
        return end

    def _line(self, at: int) -> tuple[list[MetricRow], int]:
        """Return the samples of the line that begins at `at`, and where it ends. Raises Refused."""
        measurement, at = self._measurement(at)
        tags, at = self._tags(at)
        labels, sender = senders.of_labels({**self._more, **tags}, self._address)
        if not self._text.startswith((" ", "\t"), at):
            raise Refused("missing fields")
        while self._text.startswith((" ", "\t"), at):
            at += 1
        fields, at = self._fields(at)
        time_ms, at = self._time(at)
        rows = []
        for name, value in fields.items():
            metric = metric_name(measurement if name == "value" else f"{measurement}_{name}")
            if not metric:
                raise Refused("the name cannot be one of a metric")
            rows.append(MetricRow(metric, labels, [(time_ms, value)], sender))
        return rows, at

    def _measurement(self, at: int) -> tuple[str, int]:
        match = _MEASUREMENT.match(self._text, at)
        if match is None or not match[0]:
            raise Refused("missing measurement")
        return _plain(match[0]), match.end()

    def _tags(self, at: int) -> tuple[dict[str, str], int]:
        tags: dict[str, str] = {}
        while match := _TAG.match(self._text, at):
            name, value = label_name(_plain(match[1])), _plain(match[2])
            if not name or not value or len(value) > VALUE_MAX:
                raise Refused("missing or too long tag")
            tags[name] = value
            if len(tags) > LABELS_MAX:
                raise Refused("too many tags")
            at = match.end()
        return tags, at

    def _fields(self, at: int) -> tuple[dict[str, float], int]:
        """Return the fields that are numbers."""
        found: dict[str, float] = {}
        for _ in range(_FIELDS_MAX):
            match = _FIELD.match(self._text, at)
            if match is None or not match[1]:
                raise Refused("invalid field format")
            if match[2] is None:
                found[_plain(match[1])] = _number(match[3])
            at = match.end()
            if not self._text.startswith(",", at):
                return found, at
            at += 1
        raise Refused("too many fields")

    def _time(self, at: int) -> tuple[int, int]:
        match = _TIME.match(self._text, at)
        end = match.end() if match else at
        rest = self._text[end : self._line_end(end)].strip()
        if rest:
            raise Refused("bad timestamp")
        at_ms = _milliseconds(int(match[1]), self._precision) if match else self._now_ms
        if not 0 <= at_ms <= _LATEST_MS:
            raise Refused("time outside range")
        return at_ms, self._line_end(end)


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _number(text: str) -> float:
    if _INTEGER.match(text):
        number = int(text[:-1])
        low, high = (-(2**63), 2**63 - 1) if text[-1] == "i" else (0, 2**64 - 1)
        if not low <= number <= high:
            raise Refused("integer out of range")
        return float(number)
    if _NUMBER.match(text):
        value = float(text)
        if math.isfinite(value):
            return value
    elif text in _TRUE or text in _FALSE:
        return float(text in _TRUE)
    raise Refused("invalid number")


def _milliseconds(time: int, precision: str) -> int:
    if precision in _LONG_PRECISIONS_MS:
        return time * _LONG_PRECISIONS_MS[precision]
    return time * 1000 // _PRECISIONS[precision]


def _read(request: Request) -> _Reader:
    precision = request.query.get("precision", "")
    if precision not in _PRECISIONS and precision not in _LONG_PRECISIONS_MS:
        raise Refused(f'invalid precision "{precision[:20]}" (use n, u, ms, s, m or h)')
    try:
        text = request.body.decode()
    except UnicodeDecodeError as error:
        raise Refused("unable to parse: the body is not UTF-8", reason="utf8") from error
    database = request.query.get("db", "")
    reader = _Reader(
        text, precision, int(request.now.timestamp() * 1000), request.peer, {"db": database} if database else {}
    )
    reader.read()
    return reader


def _taken(reader: _Reader, said: bytes) -> Taken:
    frames = [frame_of_metrics(reader.rows)] if reader.rows else []
    if not reader.errors:
        return Taken(frames, Answer(status=204, headers=_VERSION))
    return Taken(frames, Answer(said, 400, _JSON, _VERSION), {"malformed": len(reader.errors)})


_VERSION = {"X-Influxdb-Version": "1.8.10", "X-Influxdb-Build": "OSS"}


def _write_1(request: Request) -> Taken:
    reader = _read(request)
    first = reader.errors[0] if reader.errors else ""
    begin = "partial write: " if reader.rows else ""
    return _taken(reader, orjson.dumps({"error": f"{begin}{first} dropped={len(reader.errors)}"}))


def _write_2(request: Request) -> Taken:
    reader = _read(request)
    first = reader.errors[0] if reader.errors else ""
    return _taken(reader, orjson.dumps({"code": "invalid", "message": first, "line": len(reader.errors)}))


def _ping(request: Request) -> Taken:
    if request.query.get("verbose", "") in ("", "false", "0"):
        return Taken((), Answer(status=204, headers=_VERSION))
    return Taken((), Answer(b'{"version":"1.8.10"}', 200, _JSON, _VERSION))


_CREATE = re.compile(r"\s*create\s+database\s+", re.IGNORECASE)


def _query(request: Request) -> Taken:
    """Clients of version 1 create their database before they write. There is nothing to create."""
    statement = request.query.get("q", "") or dict(_form(request.body)).get("q", "")
    if not _CREATE.match(statement):
        raise Refused("queries are answered by Quarterdeck's own pages and API", reason="query")
    return Taken((), Answer(b'{"results":[{"statement_id":0}]}', 200, _JSON, _VERSION))


def _form(body: bytes) -> list[tuple[str, str]]:
    from urllib.parse import parse_qsl

    try:
        return parse_qsl(body.decode("latin-1"), max_num_fields=100)
    except ValueError as error:
        raise Refused("the form has too many fields") from error


def _problem(problem: Problem) -> Answer:
    """Both versions' words: `error` is read by clients of the first, `code` and `message` by those of the second."""
    codes = {401: "unauthorized", 403: "forbidden", 413: "request too large", 429: "too many requests"}
    code = codes.get(problem.status, "unavailable" if problem.status >= 500 else "invalid")
    body = {"error": problem.message, "code": code, "message": problem.message}
    return Answer(orjson.dumps(body), problem.status, _JSON, _VERSION)


def _credential(request: Request) -> str:
    """Version 1 has `?u=name&p=password`; the password is the key."""
    return request.query.get("p", "")


_TELEGRAF = """\
[[outputs.influxdb]]
  urls = ["{url}"]
  database = "telegraf"
  skip_database_creation = true
  username = "quarterdeck"
  password = "{key}"
"""
_PYTHON = """\
from influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS

with InfluxDBClient(url="{url}", token="{key}", org="-") as client:
    client.write_api(write_options=SYNCHRONOUS).write("-", "-", "shop,host=web1 orders=17i")
"""

PLUGIN = Receiver(
    title="InfluxDB line protocol",
    signals=("metrics",),
    http_setting="intake_influx",
    routes=(
        Route(("POST",), "/write", _write_1),
        Route(("POST",), "/api/v2/write", _write_2),
        Route(("GET", "HEAD"), "/ping", _ping, is_probe=True),
        Route(("GET", "POST"), "/query", _query, is_probe=True),
    ),
    clients=(
        Client("telegraf.conf (not tried here)", _TELEGRAF, language="toml"),
        Client("Python", _PYTHON, language="python"),
    ),
    problem=_problem,
    credential=_credential,
    # Clients of version 1 send root:root when nobody says otherwise.
    key_is_forced=True,
)
