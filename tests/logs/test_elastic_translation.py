"""What Elasticsearch's users write, translated without an engine: a condition or a sentence comes out."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.core import clock
from quarterdeck.core.errors import BadQuery, OpsError
from quarterdeck.logs.compiling import LogFields
from quarterdeck.logs.elastic import dates, documents, lucene
from quarterdeck.logs.elastic.clauses import KINDS, Clauses
from quarterdeck.logs.elastic.terms import Terms
from quarterdeck.logs.templates import template
from quarterdeck.telemetry.conditions import NOTHING, Names, Sql

# All that a condition may be made of: our own SQL, and names of plain characters.
_PLAIN = re.compile(r"[\w\s.,()\[\]{}:'+*/%=<>!\-⺀-鿿가-힯豈-﫿]*")


def translated(query: object) -> Sql:
    names = Names()
    return Clauses(Terms(names, LogFields(names, lambda _match: NOTHING, template("message")))).condition(query)


_names = st.sampled_from(
    ["message", "@timestamp", "service.name", "log.level", "trace.id", "a.b", "_id", "_index", "x'y", "a`;--", "é"]
)
_scalars = st.one_of(st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.none())
_objects = st.dictionaries(st.text(max_size=8), _scalars, max_size=2)
_values = st.one_of(_scalars, st.lists(_scalars, max_size=3), _objects)
_options = st.sampled_from(
    ["value", "query", "gte", "lt", "operator", "minimum_should_match", "format", "slop", "case_insensitive", "fields"]
)
_of_field = st.dictionaries(_names, st.one_of(_values, st.dictionaries(_options, _values, max_size=2)), max_size=2)
_leaves = st.dictionaries(
    st.sampled_from(sorted(KINDS)), st.one_of(_of_field, st.dictionaries(_options, _values, max_size=3), _values),
    min_size=1, max_size=2,
)  # fmt: skip
_occurs = st.sampled_from(["must", "should", "filter", "must_not"])
_queries = st.recursive(
    _leaves,
    lambda inner: st.fixed_dictionaries({"bool": st.dictionaries(_occurs, st.lists(inner, max_size=3))}),
    max_leaves=6,
)
_strings = st.text(alphabet=st.sampled_from('ab:*?"\\/()[]{}+-!&|~^<> TOANDNOR0.\u3000é'), max_size=30)


@settings(max_examples=300, deadline=None)
@given(_queries)
def test_any_query_is_a_condition_or_a_sentence(query: dict[str, Any]) -> None:
    try:
        found = translated(query)
    except OpsError:
        return
    assert _PLAIN.fullmatch(found.text.replace("\\", "")), found.text
    assert "x'y" not in found.text
    assert "a`" not in found.text


@settings(max_examples=300, deadline=None)
@given(_strings, st.booleans())
def test_any_query_string_is_a_condition_or_a_sentence(text: str, is_and: bool) -> None:
    operator = "and" if is_and else "or"
    for kind in ("query_string", "simple_query_string"):
        with suppress(OpsError):
            translated({kind: {"query": text, "default_operator": operator}})


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a b", "a b"),
        ("a AND b OR c", "+a +b c"),
        ("a OR b AND c", "a +b +c"),
        ("a AND NOT b", "+a -b"),
        ("+a -b c", "+a -b c"),
        ("a && !b || c", "+a -b c"),
        ("(a OR b) AND x:c", "+(a b) +x:c"),
    ],
)
def test_lucene_has_no_precedence(text: str, tree: str) -> None:
    found = lucene.parse(text)
    assert found is not None
    assert _shown(found)[1:-1] == tree


def _shown(tree: lucene.Tree) -> str:
    if isinstance(tree, lucene.Group):
        signs = {"must": "+", "should": "", "must_not": "-"}
        return "(" + " ".join(signs[occur] + _shown(part) for occur, part in tree.clauses) + ")"
    assert isinstance(tree, lucene.Leaf)
    return f"{tree.name}:{tree.value}" if tree.name else tree.value


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("value", "down", "up"),
    [
        ("2026-05-01T12:00:00.5Z", "2026-05-01T12:00:00.500Z", "2026-05-01T12:00:00.500Z"),
        ("2026-05-01", "2026-05-01T00:00:00Z", "2026-05-01T23:59:59.999Z"),
        ("2026-05-01T12:30+02:00", "2026-05-01T10:30:00Z", "2026-05-01T10:30:59.999Z"),
        (1777636800000, "2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z"),
        ("1777636800000", "2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z"),
        ("now", "2026-05-01T12:34:56.789Z", "2026-05-01T12:34:56.789Z"),
        ("now-1h/h", "2026-05-01T11:00:00Z", "2026-05-01T11:59:59.999Z"),
        ("now/M", "2026-05-01T00:00:00Z", "2026-05-31T23:59:59.999Z"),
        ("now/w", "2026-04-27T00:00:00Z", "2026-05-03T23:59:59.999Z"),
        ("2026-03-31||-1M", "2026-02-28T00:00:00Z", "2026-02-28T00:00:00Z"),
        ("2026-01-01||+1y-1d/d", "2026-12-31T00:00:00Z", "2026-12-31T23:59:59.999Z"),
    ],
)
def test_dates_are_rounded_down_and_up(value: object, down: str, up: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = datetime(2026, 5, 1, 12, 34, 56, 789_000, tzinfo=UTC)
    monkeypatch.setattr(dates, "now", lambda: fixed)
    assert dates.moment_ms(value) == _ms(down)
    assert dates.moment_ms(value, up=True) == _ms(up)
    assert dates.now() != clock.now()


def test_dates_are_read_and_written_in_a_zone_and_a_format() -> None:
    berlin = dates.zone_of("Europe/Berlin")
    at = dates.moment_ms("2026-03-29||+1d", zone=berlin)
    assert at == _ms("2026-03-29T22:00:00Z")
    assert dates.moment_ms("1777636800", form="epoch_second") == _ms("2026-05-01T12:00:00Z")
    assert dates.written(at, zone=berlin) == "2026-03-30T00:00:00.000+02:00"
    assert dates.written(at, "yyyy-MM-dd", berlin) == "2026-03-30"
    assert dates.written(at, "epoch_second") == str(at // 1000)
    assert dates.written_ns(1_777_636_800_000_000_001) == "2026-05-01T12:00:00.000000001Z"
    for wrong in ("2026-13-01", "2026-05-01T25:00", "tomorrow", "now-", "now/x", "", None, True, [], "9999-12-31||+1d"):
        with pytest.raises(BadQuery):
            dates.moment_ms(wrong)


def test_a_document_has_objects_where_no_text_is_in_the_way() -> None:
    flat = {"a.b": "1", "a.c.d": "2", "a.b.e": "3", "x": "4", "x.y": "5", ".": "6", "b..c": "7"}
    nested = {"a": {"b": "1", "c": {"d": "2"}}, "a.b.e": "3", "x": "4", "x.y": "5", ".": "6", "b..c": "7"}
    assert documents.nested(flat) == nested
