"""Prometheus' scripts for PromQL engines: their language, and what their evaluations expect.

See https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import promql_parser

from quarterdeck.telemetry.canonical import STALE

_EVAL_INSTANT = re.compile(r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)")
_EVAL_RANGE = re.compile(r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)")
_EXPECT = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info|string|range vector)\b\s*(.*)")
_LABEL = re.compile(
    r'\s*(?:"((?:[^"\\]|\\.)*)"|([a-zA-Z_][\w.:]*))\s*(?:=\s*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'))?\s*,?'
)
_NUMBER = r"(?:[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|[+-]?(?:[iI]nf|[nN]a[nN]))"
_SERIES_ITEM = re.compile(rf"({_NUMBER})(?:([+-](?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+|[iI]nf|[nN]a[nN])))?(?:x(\d+))?")
# Where a native histogram stands in a series.
NATIVE = object()
Point = float | object | None


@dataclass
class Load:
    """Points of series: `series[labels][time in ms]`."""

    line: int
    step_ms: int
    # Each classic histogram is to be there as a native one, too.
    with_native: bool = False
    series: list[tuple[dict[str, str], list[Point]]] = field(default_factory=list)


@dataclass
class Clear:
    line: int


@dataclass
class Evaluation:
    """A query and what it has to answer. `step_ms` is 0 for an instant one."""

    line: int
    query: str
    start_ms: int
    end_ms: int
    step_ms: int
    is_ordered: bool = False
    is_failure: bool = False
    fail_message: str = ""
    fail_regex: str = ""
    text: str | None = None
    scalar: float | None = None
    # Of an answer that is a range vector: start and step of its points.
    matrix: tuple[int, int] | None = None
    series: list[tuple[dict[str, str], list[Point]]] = field(default_factory=list)


Command = Load | Clear | Evaluation


def milliseconds(text: str) -> int:
    """Return `5m`, `10s53ms`, `-5s` or a number of seconds in milliseconds."""
    try:
        return round(float(text) * 1000)
    except ValueError:
        pass
    if re.fullmatch(r"-?0(ms|s|m|h|d|w|y)", text):
        return 0
    sign = -1 if text.startswith("-") else 1
    parsed: timedelta = promql_parser.parse_duration(text.lstrip("-"))
    return sign * round(parsed / timedelta(milliseconds=1))


def unquoted(text: str) -> str:
    return str(promql_parser.parse(text).val)


def labels_of(text: str) -> tuple[dict[str, str], str]:
    """Return the labels that a line begins with, `__name__` among them, and what follows them."""
    name = re.match(r"[a-zA-Z_:][\w:.]*", text)
    labels = {"__name__": name[0]} if name else {}
    rest = text[name.end() :] if name else text
    if not rest.startswith("{"):
        return labels, rest
    at = 1
    while rest[at] != "}":
        match = _LABEL.match(rest, at)
        assert match, f"cannot read the labels of {text!r}"
        key = unquoted(f'"{match[1]}"') if match[1] is not None else match[2]
        if match[3] is None:
            labels["__name__"] = key
        else:
            labels[key] = unquoted(match[3])
        at = match.end()
        while rest[at] == " ":
            at += 1
    return {name: value for name, value in labels.items() if value}, rest[at + 1 :]


def points_of(text: str) -> list[Point]:
    """Return the points of `0+10x3 _ stale 7 {{...}}`; None where there is none."""
    points: list[Point] = []
    rest = text.strip()
    while rest:
        points_here, rest = _item(rest)
        points += points_here
        rest = rest.lstrip()
    return points


def _item(rest: str) -> tuple[list[Point], str]:
    if rest.startswith("{{"):
        return _native_item(rest)
    token, _space, after = rest.partition(" ") if " " in rest else (rest, "", "")
    token, tab, more = token.partition("\t")
    after = more + (" " + after if after else "") if tab else after
    if match := re.fullmatch(r"_(?:x(\d+))?", token):
        return [None] * int(match[1] or 1), after
    if match := re.fullmatch(r"stale(?:x(\d+))?", token):
        return [STALE] * (int(match[1]) + 1 if match[1] else 1), after
    match = _SERIES_ITEM.fullmatch(token)
    assert match, f"cannot read the point {token!r}"
    first, by, times = float(match[1]), float(match[2] or 0), int(match[3] or 0)
    return [first + by * index if by else first for index in range(times + 1)], after


def _native_item(rest: str) -> tuple[list[Point], str]:
    match = re.match(r"\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x(\d+))?", rest)
    assert match, f"cannot read the histogram {rest!r}"
    return [NATIVE] * (int(match[1] or 0) + 1), rest[match.end() :]


def commands(path: Path) -> Iterator[Command]:
    """Yield the commands of a script in order."""
    lines = [
        "" if line.strip().startswith("#") else line.strip() for line in path.read_text(encoding="utf-8").splitlines()
    ]
    at = 0
    while at < len(lines):
        line, first = lines[at], at + 1
        block = []
        at += 1
        if not line:
            continue
        if line != "clear":
            while at < len(lines) and lines[at]:
                block.append(lines[at])
                at += 1
        yield _command(line, first, block)


def _command(line: str, number_: int, block: list[str]) -> Command:
    if line == "clear":
        return Clear(number_)
    if match := re.match(r"load(?:_with_nhcb)?\s+(\S+)", line):
        load = Load(number_, milliseconds(match[1]), line.startswith("load_with"))
        for text in block:
            labels, rest = labels_of(text)
            load.series.append((labels, points_of(rest)))
        return load
    if match := _EVAL_INSTANT.match(line):
        at_ms = milliseconds(match[2] or "0")
        found = Evaluation(number_, match[3], at_ms, at_ms, 0)
    elif match := _EVAL_RANGE.match(line):
        start_ms, end_ms, step_ms = (milliseconds(match[index]) for index in (2, 3, 4))
        found = Evaluation(number_, match[5], start_ms, end_ms, step_ms)
    else:
        raise AssertionError(f"line {number_}: cannot read {line!r}")
    found.is_failure, found.is_ordered = match[1] == "fail", match[1] == "ordered"
    for text in block:
        _expect(found, text)
    return found


def _expect(found: Evaluation, text: str) -> None:
    if text.startswith("expected_fail_message "):
        found.fail_message = text.partition(" ")[2].strip()
    elif text.startswith("expected_fail_regexp "):
        found.fail_regex = text.partition(" ")[2].strip()
    elif match := _EXPECT.match(text):
        _expect_kind(found, match[1], match[2])
    elif re.fullmatch(_NUMBER, text):
        found.scalar = float(text)
    else:
        labels, rest = labels_of(text)
        found.series.append((labels, points_of(rest)))


def _expect_kind(found: Evaluation, kind: str, rest: str) -> None:
    if kind == "ordered":
        found.is_ordered = True
    elif kind == "string":
        found.text = unquoted(rest)
    elif kind == "range vector":
        _from, start, _to, _end, _step, step = rest.split()
        found.matrix = (milliseconds(start), milliseconds(step))
    elif kind == "fail":
        found.is_failure = True
        way, _colon, words = rest.partition(":")
        if way.strip() == "msg":
            found.fail_message = words.strip()
        elif way.strip() == "regex":
            found.fail_regex = words.strip()


def is_close(a: float, b: float) -> bool:
    """Equal within a relative 1e-6, as Prometheus compares; NaN equals NaN."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if a == b:
        return True
    return not math.isinf(a) and not math.isinf(b) and abs(a - b) / max(abs(a) + abs(b), 5e-324) < 1e-6
