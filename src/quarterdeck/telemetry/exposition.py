r"""Prometheus' text format 0.0.4 and OpenMetrics 1.0, read line by line at a microsecond each.

A series stays the text it is (`http_requests_total{code="200"}`) until somebody asks for its parts: the same text comes
again at every scrape. See https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from quarterdeck.telemetry.receiving import Refused

# Label values are quoted and may hold everything; written so that no text makes the matcher go back and forth.
_LINE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*(?:[ \t]*\{[^"}]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"}]*)*\})?)'
    r"[ \t]*([^ \t#]+)(?:[ \t]+([-+0-9.eE]+))?[ \t]*(#.*)?"
)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*(?:,[ \t]*|\Z)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}
OPENMETRICS = "application/openmetrics-text"
_SUFFIXES = {
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
    "summary": ("_count", "_sum", "_created"),
    "counter": ("_total", "_created"),
    "info": ("_info",),
}


# Series, value, Unix time in ms or None.
Sample = tuple[str, float, int | None]


@dataclass(frozen=True, slots=True)
class Exposition:
    """`types` is `{"http_requests_total": "counter"}`."""

    samples: list[Sample]
    types: dict[str, str]


def parse(text: str, *, is_openmetrics: bool) -> Exposition:
    """Read a whole exposition. Raises Refused, which names the line, when one is none: half of it would be a lie.

    Whether a series is well written is for `series_of` to say.
    """
    samples: list[Sample] = []
    types: dict[str, str] = {}
    lines = text.split("\n")
    if is_openmetrics:
        lines = _without_eof(lines)
    for line in lines:
        # The usual line takes the short way: no exemplar, no comment.
        if "#" not in line and line[:1] > " ":
            series, brace, rest = line.rpartition("}")
            words = rest.split()
            if brace and words and len(words) < 3:
                time = _milliseconds(words[1], is_openmetrics) if len(words) == 2 else None
                samples.append((series + "}", value_of(words[0]), time))
                continue
        line = line.strip(" \t\r")
        if line.startswith("#"):
            _note_type(line, types)
        elif line:
            samples.append(_sample(line, is_openmetrics))
    return Exposition(samples, types)


def _sample(line: str, is_openmetrics: bool) -> Sample:
    match = _LINE.fullmatch(line)
    if match is None or (match[4] and not is_openmetrics):
        raise Refused(f"no sample: {line[:200]}")
    series, number, time, _exemplar = match.groups()
    return series, value_of(number), None if time is None else _milliseconds(time, is_openmetrics)


def _without_eof(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines.pop()
    if not lines or lines[-1] != "# EOF":
        raise Refused("an OpenMetrics exposition ends with # EOF", reason="truncated")
    return lines[:-1]


def _note_type(line: str, types: dict[str, str]) -> None:
    words = line.split(None, 3)
    if len(words) == 4 and words[1] == "TYPE":
        types[words[2]] = words[3].strip()


def value_of(text: str) -> float:
    """Return the number; `NaN`, `+Inf` and `-Inf` are numbers here. Raises Refused."""
    try:
        # Python reads 1_000 as a number, nobody else does.
        if "_" not in text:
            return float(text)
    except ValueError:
        pass
    raise Refused(f'"{text[:40]}" is no number', reason="number")


def _milliseconds(text: str, is_openmetrics: bool) -> int:
    """Version 0.0.4 writes whole milliseconds, OpenMetrics seconds."""
    try:
        number = float(text) * 1000 if is_openmetrics else int(text)
        if abs(number) < 2**53:
            return round(number)
    except ValueError:
        pass
    raise Refused(f'"{text[:40]}" is no timestamp', reason="time")


def series_of(text: str) -> tuple[str, dict[str, str]]:
    """Return `("http_requests_total", {"code": "200"})`; empty values are left out. Raises Refused."""
    name, brace, rest = text.partition("{")
    name = name.rstrip(" \t")
    if not _NAME.match(name):
        raise Refused(f"no metric: {text[:200]}", reason="name")
    if not brace:
        return name, {}
    labels: dict[str, str] = {}
    at, end = len(rest) - len(rest.lstrip(" \t")), len(rest) - 1
    while at < end:
        match = _LABEL.match(rest, at, end)
        if match is None or match[1] in labels:
            raise Refused(f"no labels: {text[:200]}", reason="labels")
        labels[match[1]] = _plain(match[2])
        at = match.end()
    return name, {label: value for label, value in labels.items() if value}


def _plain(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[0]), text)


def family_of(name: str, types: Mapping[str, str]) -> str:
    """Return the family that a sample is of: `http_seconds` for `http_seconds_bucket` when that is a histogram."""
    if name in types:
        return name
    for kind, suffixes in _SUFFIXES.items():
        for suffix in suffixes:
            if name.endswith(suffix) and types.get(name.removesuffix(suffix)) == kind:
                return name.removesuffix(suffix)
    return name


def number_text(number: float) -> str:
    """Write a number as Go does, in which most values of `le` and `quantile` are written: 1, 0.005, 1e+06, +Inf.

    See FormatFloat(x, 'g', -1, 64) of https://pkg.go.dev/strconv
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    shortest = Decimal(repr(number)).normalize()
    sign, digits, _exponent = shortest.as_tuple()
    power = shortest.adjusted()
    minus = "-" if sign else ""
    if number == 0:
        return f"{minus}0"
    if -4 <= power < 6:
        return f"{minus}{format(abs(shortest), 'f')}"
    text = "".join(map(str, digits))
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{minus}{text[0]}{fraction}e{'-' if power < 0 else '+'}{abs(power):02d}"
