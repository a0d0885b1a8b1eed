"""What differs about spans: from the time before and from the rest, as plain Python counts it over the same spans."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from tests.tracing.conftest import Load
from tests.tracing.making import START, span

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import client
from quarterdeck.telemetry.canonical import SpanRow
from quarterdeck.telemetry.differing import Share
from quarterdeck.tracing.changed import Against, SpanChanges, changed
from quarterdeck.tracing.queries import traces

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
SINCE = datetime.fromtimestamp(START / 1e9, UTC)
UNTIL = SINCE + timedelta(minutes=5)


def found(q: str = "", against: Against = "before", actor: Actor = SYSTEM) -> SpanChanges:
    return changed(actor, q, SINCE, UNTIL, against=against, limit=50)


def values(one: SpanChanges, field: str) -> dict[str, Share]:
    return {share.text: share for part in one.fields.fields if part.field == field for share in part.values}


def some() -> list[SpanRow]:
    """A release: half of the calls of now are of version 2, which is slow and fails on one route."""
    rows = []
    for n in range(200):
        is_now, route = n >= 80, ("/pay", "/cart", "/list")[n % 3]
        is_new = is_now and n % 2 == 1
        is_slow = is_new and route == "/pay"
        rows.append(
            span(
                n + 1, n + 1, at_ms=(n - 80) * 1000, ms=900 if is_slow else 20, name=f"GET {route}", host=f"web{n % 2}",
                version="2" if is_new else "1", is_error=is_slow,
                attributes={"http.route": route, "id": f"r-{n}", "user": "a"}, resource={"k8s.pod": f"p{n % 2}"},
            )
        )  # fmt: skip
    return rows


def test_spans_differ_from_the_time_before_as_counted_one_by_one(sent: Load) -> None:
    rows = some()
    sent(*rows, *rows[:50])
    one = found()
    assert (one.fields.now, one.fields.before, one.fields.is_sampled) == (120, 80, False)
    assert one.before_since == SINCE - timedelta(minutes=5)
    assert [part.field for part in one.fields.fields] == ["version", "duration", "status"]
    for field, of in (("version", lambda row: row.version), ("status", lambda row: "error" if row.is_error else "ok")):
        now, before = Counter(map(of, rows[80:])), Counter(map(of, rows[:80]))
        for text, share in values(one, field).items():
            assert (share.now, share.before) == (now[text], before[text])
            assert share.now_share == pytest.approx(now[text] / 120)
    assert values(one, "version")["2"].is_new
    slow = values(one, "duration")["500 ms – 1 s"]
    assert (slow.now, slow.query) == (20, "duration:[500000000ns TO 999999999ns]")


def test_every_query_that_is_offered_finds_its_spans(sent: Load) -> None:
    sent(*some())
    one = found("status:error", "rest")
    shares = [share for part in one.fields.fields for share in part.values if share.query and share.now]
    assert len(shares) >= 4
    for share in shares:
        assert len(traces(SYSTEM, f"status:error {share.query}", SINCE, UNTIL, limit=1000)) == share.now, share


def test_a_selection_differs_from_the_rest(sent: Load) -> None:
    sent(*some())
    one = found("status:error", "rest")
    assert (one.fields.now, one.fields.before, one.before_since) == (20, 100, None)
    names = [part.field for part in one.fields.fields]
    assert {"status", "duration", "version", "operation", "http.route"} <= set(names)
    assert values(one, "http.route")["/pay"].now_share == 1
    assert not {"attr.id", "attr.user"} & set(names)


def test_what_is_drawn_over_the_traces_is_the_selection_and_the_window(sent: Load) -> None:
    sent(*some())
    start, end = (SINCE + timedelta(seconds=seconds) for seconds in (60, 120))
    drawn = f'(http.route:"/pay") time:["{start.isoformat()}" TO "{end.isoformat()}"] duration:[500ms TO 2s]'
    rest = found(drawn, "rest")
    assert rest.fields.now == len(traces(SYSTEM, drawn, SINCE, UNTIL, limit=1000))
    assert rest.fields.now + rest.fields.before == len(traces(SYSTEM, "http.route:/pay", SINCE, UNTIL, limit=1000))
    before = found(f'time:["{start.isoformat()}" TO "{end.isoformat()}"]')
    assert (before.since, before.before_since) == (start, SINCE)
    assert (before.fields.now, before.fields.before) == (60, 60)
    with pytest.raises(BadInput):
        found(f'time:["{end.isoformat()}" TO "{start.isoformat()}"]')


def test_a_kept_span_counts_for_those_it_stands_for(sent: Load) -> None:
    sent(*[row for n, row in enumerate(some()) if n >= 80])
    client.command(
        "INSERT INTO spans SELECT * REPLACE (ts - INTERVAL 300 SECOND AS ts, sipHash128(trace_id) AS trace_id,"
        " toFloat32(if(version = '1', 4, 1)) AS sample_weight) FROM spans"
    )
    one = found()
    assert (one.fields.now, one.fields.before) == (120, 60 * 4 + 60)
    shares = values(one, "version")
    assert (shares["1"].before, shares["1"].before_share) == (240, pytest.approx(0.8))


def test_people_compare_what_they_may_read(sent: Load, teammate: Actor) -> None:
    sent(*some())
    assert found(actor=teammate).fields.now == 0
    Item.objects.filter(name="web0").update(env="prod")
    mine = found(actor=teammate)
    assert (mine.fields.now, mine.fields.before) == (60, 40)


def test_hostile_spans_stay_text_and_wrong_questions_are_told(sent: Load) -> None:
    bad = "<script>\"\x1b[31m'); DROP TABLE spans --"
    long = "x" * 100_000
    sent(
        *(span(n + 1, 1, at_ms=-1000) for n in range(20)),
        *(span(n + 50, 1, at_ms=1000, name=bad, resource={"": "y", bad: long},
               attributes={bad: bad, "": "x", "servic": bad, "attr.x": long, "d": long}) for n in range(20)),
    )  # fmt: skip
    one = found()
    names = {part.field for part in one.fields.fields}
    assert {f"attr.{bad}", "attr.servic", "attr.attr.x", f"resource.{bad}"} <= names
    assert not {"", "attr.", "resource."} & names
    assert values(one, "attr.servic")[bad].query.startswith('attr.servic:"<script>')
    assert len(traces(SYSTEM, values(one, "attr.servic")[bad].query, SINCE, UNTIL)) == 20
    assert all(not share.query for share in values(one, f"attr.{bad}").values() if share.kind == "value")
    assert found("nothing.there:x").fields.fields == found("nothing.there:x", "rest").fields.fields == []
    with pytest.raises(BadQuery):
        found("kind:servr")
    with pytest.raises(BadInput):
        found("", "after")  # type: ignore[arg-type]
