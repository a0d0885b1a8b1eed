"""Running a script against the engine: every evaluation is asked, and what it answers is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import promql_parser
import re2
from clickhouse_connect.driver.exceptions import DatabaseError
from promql_parser import MatchOp
from tests.promql.scripts import NATIVE, Clear, Evaluation, Load, Point, commands, is_close

from quarterdeck.core.errors import OpsError
from quarterdeck.telemetry import client
from quarterdeck.telemetry.canonical import MetricRow, frame_of_metrics
from quarterdeck.telemetry.loading import Origin, load
from quarterdeck.telemetry.promql import answering
from quarterdeck.telemetry.promql.answering import Answer, Limits, Series
from quarterdeck.telemetry.promql.parsing import parse
from quarterdeck.telemetry.promql.plan import Scope

TABLES = ("samples", "series", "labels", "series_written")
# What begins before the first sample in range mode, or asks for the query's own range, differs there by design.
_OWN_RANGE = re.compile(r"\b(?:start|end|step|range)\s*\(")


def empty() -> None:
    for table in TABLES:
        client.command(f"TRUNCATE TABLE {table}")


@contextmanager
def kept_for_ever(*tables: str) -> Iterator[None]:
    """Take the tables' retention away for a while: what the scripts store is of 1970."""
    create = {name: str(client.command(f"SHOW CREATE TABLE {name}")) for name in tables}
    ttl = {name: re.search(r"TTL (.+?)\\?n?\s*SETTINGS", text, re.DOTALL) for name, text in create.items()}
    for name in tables:
        client.command(f"ALTER TABLE {name} REMOVE TTL")
    yield
    for name, found in ttl.items():
        assert found, create[name]
        client.command(f"ALTER TABLE {name} MODIFY TTL {found[1]}")


@dataclass
class Verdict:
    """How a script went: evaluations that passed, that failed (with reasons), that need native histograms."""

    passed: int = 0
    failures: list[str] = field(default_factory=list)
    not_supported: list[str] = field(default_factory=list)


def run(path: Path) -> Verdict:
    verdict, natives = Verdict(), list[dict[str, str]]()
    empty()
    for command in commands(path):
        if isinstance(command, Clear):
            empty()
            natives.clear()
        elif isinstance(command, Load):
            natives += _load(command)
        else:
            _judge(command, natives, verdict)
    return verdict


def _load(command: Load) -> list[dict[str, str]]:
    """Store the points that are numbers; return the labels of series that have others."""
    rows, natives = [], []
    # A series that a script names twice in one load is what it says last.
    last = {tuple(sorted(labels.items())): points for labels, points in command.series}
    for key, points in last.items():
        labels = dict(key)
        named = {name: value for name, value in labels.items() if name != "__name__"}
        samples = [(index * command.step_ms, point) for index, point in enumerate(points) if isinstance(point, float)]
        if samples:
            rows.append(MetricRow(labels["__name__"], named, samples))
        if any(point is NATIVE for point in points):
            natives.append(labels)
        if command.with_native and labels["__name__"].endswith("_bucket"):
            name = labels["__name__"].removesuffix("_bucket")
            natives.append({**labels, "__name__": name, "le": ""})
    if rows:
        load([frame_of_metrics(rows)], Origin("rows", 0, 0, {}), uuid4().hex)
    return natives


def _judge(command: Evaluation, natives: list[dict[str, str]], verdict: Verdict) -> None:
    problem = _problem(command)
    if problem is None:
        verdict.passed += 1
    elif _needs_native(command, natives):
        verdict.not_supported.append(f"line {command.line}: native histograms: {command.query}")
    else:
        verdict.failures.append(f"line {command.line}: {command.query}\n    {problem}")


def _needs_native(command: Evaluation, natives: list[dict[str, str]]) -> bool:
    if any(NATIVE in points for _labels, points in command.series):
        return True
    try:
        return any(_selects(selector, labels) for selector in _selectors(command.query) for labels in natives)
    except OpsError:
        return False


def _selectors(query: str) -> Iterator[Any]:
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        elif isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(parse(query), visit)
    yield from found


def _selects(selector: Any, labels: dict[str, str]) -> bool:
    if selector.name and selector.name != labels.get("__name__"):
        return False
    return all(_matches(matcher, labels.get(matcher.name, "")) for matcher in selector.matchers.matchers)


def _matches(matcher: Any, value: str) -> bool:
    if matcher.op in (MatchOp.Equal, MatchOp.NotEqual):
        return (value == matcher.value) == (matcher.op == MatchOp.Equal)
    return (re2.fullmatch(matcher.value, value) is not None) == (matcher.op == MatchOp.Re)


def _problem(command: Evaluation) -> str | None:
    """Return what is wrong with the answer, None for nothing."""
    try:
        answer = _ask(command)
    except OpsError as error:
        return _problem_of_failure(command, error)
    except DatabaseError as error:
        return f"BUG: {str(error)[:600]}"
    if command.is_failure:
        return f"is to fail, and answered {answer}"
    wrong = _difference(command, answer)
    if wrong or command.step_ms or command.is_ordered or _OWN_RANGE.search(command.query):
        return wrong
    return _problem_in_range(command, answer)


def _ask(command: Evaluation) -> Answer:
    if command.step_ms:
        bounds = (command.start_ms, command.end_ms, command.step_ms)
        return answering.over_range(command.query, *bounds, Scope(), Limits())
    return answering.instant(command.query, command.start_ms, Scope(), Limits())


def _problem_of_failure(command: Evaluation, error: OpsError) -> str | None:
    if not command.is_failure:
        return f"failed: {error}"
    if command.fail_message and command.fail_message not in error.message:
        return f"is to fail with {command.fail_message!r}, and did with {error.message!r}"
    if command.fail_regex and not re.search(command.fail_regex, error.message):
        return f"is to fail with /{command.fail_regex}/, and did with {error.message!r}"
    return None


def _problem_in_range(command: Evaluation, answer: Answer) -> str | None:
    """An instant query has to give the same in the middle of a range query, as in Prometheus' own runner."""
    if answer.kind not in ("vector", "scalar"):
        return None
    at = command.start_ms
    try:
        found = answering.over_range(command.query, at - 60_000, at + 60_000, 60_000, Scope(), Limits())
    except (OpsError, DatabaseError) as error:
        return f"failed as a range query: {str(error)[:600]}"
    middle = [
        Series(series.labels, f'[{time},"{value!r}"]')
        for series in found.series
        for time, value in series.samples()
        if round(time * 1000) == at
    ]
    middle = [Series(one.labels, one.points) for one in middle]
    wrong = _difference(command, Answer(answer.kind, middle, at))
    return f"as a range query: {wrong}" if wrong else None


def _difference(command: Evaluation, answer: Answer) -> str | None:
    if command.text is not None:
        return None if answer.text == command.text else f"expected the text {command.text!r}, got {answer}"
    if command.scalar is not None:
        return _difference_of_scalar(command, answer)
    if command.matrix is not None:
        return _difference_of_series(command.series, answer.series, *command.matrix)
    if command.is_ordered:
        orders = [[labels for labels, _ in command.series], [series.labels for series in answer.series]]
        if orders[0] != orders[1]:
            return f"expected the order {orders[0]}, got {orders[1]}"
    return _difference_of_series(command.series, answer.series, command.start_ms, command.step_ms)


def _difference_of_scalar(command: Evaluation, answer: Answer) -> str | None:
    if answer.kind != "scalar":
        return f"expected a scalar, got {answer}"
    value = answer.series[0].samples()[0][1]
    assert command.scalar is not None
    return None if is_close(value, command.scalar) else f"expected {command.scalar}, got {value}"


def _difference_of_series(
    expected: list[tuple[dict[str, str], list[Point]]], found: list[Series], start_ms: int, step_ms: int
) -> str | None:
    wanted: dict[tuple[tuple[str, str], ...], dict[int, float]] = {}
    for labels, points in expected:
        at = {start_ms + index * step_ms: point for index, point in enumerate(points) if isinstance(point, float)}
        if at:
            wanted[tuple(sorted(labels.items()))] = at
        elif NATIVE in points:
            return "native histograms are expected"
    got = {
        tuple(sorted(series.labels.items())): {round(at * 1000): value for at, value in series.samples()}
        for series in found
    }
    if wanted.keys() != got.keys():
        return f"expected {sorted(wanted)}, got {sorted(got)}"
    for key, at in wanted.items():
        same = at.keys() == got[key].keys() and all(is_close(got[key][time], value) for time, value in at.items())
        if not same:
            return f"{dict(key)}: expected {at}, got {got[key]}"
    return None
