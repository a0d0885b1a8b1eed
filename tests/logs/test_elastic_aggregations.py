"""Elasticsearch's aggregations: the same numbers as counting the documents in Python."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.logs.lines import line, load
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import BadQuery
from quarterdeck.logs.elastic import searching
from quarterdeck.logs.elastic.bodies import TooManyBuckets
from quarterdeck.logs.elastic.reading import Reader

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
HOUR_MS = 3_600_000
TOOK = {"field": "took"}


@dataclass(frozen=True)
class Doc:
    at: datetime
    service: str
    host: str
    took: float | None

    @property
    def ms(self) -> int:
        return round(self.at.timestamp() * 1000)


def _documents() -> Iterator[Doc]:
    """Some hundred lines of the last days, with a fixed pattern."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for number in range(300):
        took = None if number % 7 == 0 else (number * 37 % 101) / 4
        at = end - timedelta(minutes=number * number % 4000, milliseconds=number)
        yield Doc(at, ("shop", "pay", "", "mail")[number % 4], f"web{number % 3}", took)


@pytest.fixture
def docs(logs: Engine) -> list[Doc]:
    found = list(_documents())
    load(
        *(
            line(
                f"line {at}", one.at, service=one.service, host=one.host,
                attributes={} if one.took is None else {"took": str(one.took)},
            )
            for at, one in enumerate(found)
        )
    )  # fmt: skip
    return found


def ask(aggs: dict[str, Any], query: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = searching.search(Reader(SYSTEM), "*", {"size": 0, "query": query, "aggs": aggs})
    return dict(found["aggregations"])


def tooks(docs: list[Doc]) -> list[float]:
    return [one.took for one in docs if one.took is not None]


def test_metrics_are_those_of_the_documents(docs: list[Doc]) -> None:
    values = tooks(docs)
    found = ask({
        **{kind: {kind: TOOK} for kind in ("avg", "sum", "min", "max", "value_count")},
        **{kind: {kind: TOOK} for kind in ("stats", "extended_stats")},
        "distinct": {"cardinality": TOOK},
        "services": {"cardinality": {"field": "service.name"}, "meta": {"a": 1}},
        "p": {"percentiles": {"field": "took", "percents": ["25", 50, 95.5]}},
        "list": {"percentiles": {"field": "took", "percents": [50], "keyed": False}},
        "filled": {"sum": {"field": "took", "missing": 10}},
        "newest": {"max": {"field": "@timestamp"}},
        "none": {"avg": {"field": "nothing"}},
        "none_stats": {"extended_stats": {"field": "nothing"}},
        "none_p": {"percentiles": {"field": "nothing", "percents": [50]}},
    })  # fmt: skip
    assert found["avg"]["value"] == pytest.approx(statistics.fmean(values))
    assert found["sum"]["value"] == pytest.approx(sum(values))
    assert (found["min"]["value"], found["max"]["value"]) == (min(values), max(values))
    assert found["value_count"]["value"] == found["stats"]["count"] == len(values)
    assert found["distinct"]["value"] == len(set(values))
    assert found["services"] == {"meta": {"a": 1}, "value": 3}
    assert found["extended_stats"]["variance"] == pytest.approx(statistics.pvariance(values))
    assert found["extended_stats"]["std_deviation_sampling"] == pytest.approx(statistics.stdev(values))
    assert found["extended_stats"]["sum_of_squares"] == pytest.approx(sum(value * value for value in values))
    upper = statistics.fmean(values) + 2 * statistics.pstdev(values)
    assert found["extended_stats"]["std_deviation_bounds"]["upper"] == pytest.approx(upper)
    assert found["p"]["values"]["50.0"] == pytest.approx(statistics.median(values))
    assert found["p"]["values"]["25.0"] == pytest.approx(statistics.quantiles(values, n=4, method="inclusive")[0])
    assert found["list"]["values"] == [{"key": 50.0, "value": pytest.approx(statistics.median(values))}]
    assert found["filled"]["value"] == pytest.approx(sum(values) + 10 * (len(docs) - len(values)))
    assert found["newest"]["value"] == max(one.ms for one in docs)
    assert found["newest"]["value_as_string"].endswith("Z")
    assert found["none"] == {"value": None}
    assert (found["none_stats"]["count"], found["none_stats"]["std_deviation"]) == (0, None)
    assert found["none_p"] == {"values": {"50.0": None}}


def test_terms_are_ordered_and_tell_of_the_rest(docs: list[Doc]) -> None:
    services = Counter(one.service for one in docs if one.service)
    by_service = defaultdict(list)
    for one in docs:
        if one.service and one.took is not None:
            by_service[one.service].append(one.took)
    found = ask({
        "two": {"terms": {"field": "service.name", "size": 2}},
        "key": {"terms": {"field": "service.name", "order": {"_key": "desc"}}},
        "missing": {"terms": {"field": "service.name", "missing": "none"}},
        "metric": {"terms": {"field": "service.name.keyword", "order": {"1": "desc"}}, "aggs": {"1": {"avg": TOOK}}},
        "percentile": {
            "terms": {"field": "service.name", "order": {"p[95.0]": "asc"}},
            "aggs": {"p": {"percentiles": {"field": "took", "percents": ["95"]}}},
        },
        "deviation": {
            "terms": {"field": "service.name", "order": [{"s.std_deviation": "desc"}, {"_key": "asc"}]},
            "aggs": {"s": {"extended_stats": TOOK}},
        },
        "chosen": {"terms": {"field": "service.name", "include": ["shop", "mail"], "exclude": "ma.*"}},
        "rare": {"terms": {"field": "took", "min_doc_count": 100}},
        "index": {"terms": {"field": "_index"}},
    })  # fmt: skip
    two = sorted(services.items(), key=lambda pair: (-pair[1], pair[0]))[:2]
    assert [(one["key"], one["doc_count"]) for one in found["two"]["buckets"]] == two
    assert found["two"]["sum_other_doc_count"] == sum(services.values()) - sum(count for _name, count in two)
    assert [one["key"] for one in found["key"]["buckets"]] == sorted(services, reverse=True)
    assert {one["key"]: one["doc_count"] for one in found["missing"]["buckets"]}["none"] == 75
    best = sorted(by_service, key=lambda name: -statistics.fmean(by_service[name]))
    assert [one["key"] for one in found["metric"]["buckets"]] == best
    assert found["metric"]["buckets"][0]["1"]["value"] == pytest.approx(statistics.fmean(by_service[best[0]]))
    values = [one["p"]["values"]["95.0"] for one in found["percentile"]["buckets"]]
    assert values == sorted(values)
    widest = sorted(by_service, key=lambda name: -statistics.pstdev(by_service[name]))
    assert [one["key"] for one in found["deviation"]["buckets"]] == widest
    assert [one["key"] for one in found["chosen"]["buckets"]] == ["shop"]
    assert found["rare"]["buckets"] == []
    assert found["index"]["buckets"] == [{"doc_count": 300, "key": "logs"}]


def test_grafana_draws_terms_over_time(docs: list[Doc]) -> None:
    start, end = min(one.ms for one in docs) - 5 * HOUR_MS, max(one.ms for one in docs)
    bounds = {"min": start, "max": end}
    time = {"field": "@timestamp", "fixed_interval": "1h", "extended_bounds": bounds, "format": "epoch_millis"}
    inner = {"date_histogram": {**time, "min_doc_count": 0}, "aggs": {"1": {"avg": TOOK}}}
    terms = {"terms": {"field": "host.name", "size": "2", "order": {"_count": "desc"}, "min_doc_count": "1"}}
    query = {"bool": {"filter": [
        {"range": {"@timestamp": {"gte": start, "lte": end, "format": "epoch_millis"}}},
        {"query_string": {"analyze_wildcard": True, "query": "*"}},
    ]}}  # fmt: skip
    found = ask({"3": {**terms, "aggs": {"2": inner}}}, query)
    assert [one["key"] for one in found["3"]["buckets"]] == ["web0", "web1"]
    for outer in found["3"]["buckets"]:
        buckets = outer["2"]["buckets"]
        mine = [one for one in docs if one.host == outer["key"]]
        counts = Counter(one.ms // HOUR_MS * HOUR_MS for one in mine)
        assert [one["key"] for one in buckets] == list(range(start // HOUR_MS * HOUR_MS, end + 1, HOUR_MS))
        assert {one["key"]: one["doc_count"] for one in buckets if one["doc_count"]} == counts
        for one in buckets:
            inside = tooks([doc for doc in mine if doc.ms // HOUR_MS * HOUR_MS == one["key"]])
            assert one["key_as_string"] == str(one["key"])
            assert one["1"]["value"] == (pytest.approx(statistics.fmean(inside)) if inside else None)


def _start(at: datetime, unit: str) -> datetime:
    at = at.replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return at
    at = at.replace(hour=0)
    return {
        "day": at,
        "week": at - timedelta(days=at.weekday()),
        "month": at.replace(day=1),
        "quarter": at.replace(day=1, month=(at.month - 1) // 3 * 3 + 1),
        "year": at.replace(day=1, month=1),
    }[unit]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York", "+05:30", "-03:00"])
def test_calendars_are_those_of_the_zone(docs: list[Doc], zone: str) -> None:
    sign = re.fullmatch(r"([+-])(\d\d):(\d\d)", zone)
    minutes = (int(sign[2]) * 60 + int(sign[3])) * (1 if sign[1] == "+" else -1) if sign else 0
    tz: Any = UTC.__class__(timedelta(minutes=minutes)) if sign else ZoneInfo(zone)
    units = ("hour", "day", "week", "month", "quarter", "year")
    shape = {"field": "@timestamp", "time_zone": zone}
    found = ask({
        **{unit: {"date_histogram": {**shape, "calendar_interval": unit}} for unit in units},
        "fixed": {"date_histogram": {**shape, "fixed_interval": "12h", "min_doc_count": 1}},
        "moved": {"date_histogram": {**shape, "calendar_interval": "1d", "offset": "+6h", "min_doc_count": 1}},
    })  # fmt: skip
    for unit in units:
        counts = Counter(round(_start(one.at.astimezone(tz), unit).timestamp() * 1000) for one in docs)
        assert {one["key"]: one["doc_count"] for one in found[unit]["buckets"] if one["doc_count"]} == counts, unit
    day = found["day"]["buckets"]
    assert len(day) == round((day[-1]["key"] - day[0]["key"]) / 86_400_000) + 1
    if tz is UTC or sign:
        shift = minutes * 60_000
        counts = Counter((one.ms + shift) // (12 * HOUR_MS) * 12 * HOUR_MS - shift for one in docs)
        assert {one["key"]: one["doc_count"] for one in found["fixed"]["buckets"]} == counts
    moved = Counter(
        round((_start((one.at - timedelta(hours=6)).astimezone(tz), "day") + timedelta(hours=6)).timestamp() * 1000)
        for one in docs
    )
    assert {one["key"]: one["doc_count"] for one in found["moved"]["buckets"]} == moved


def test_histograms_ranges_and_filters_are_those_of_the_documents(docs: list[Doc]) -> None:
    two = {"s": {"term": {"service": "shop"}}, "w": {"query_string": {"query": "host:web1"}}}
    nothing = {"t": {"sum": TOOK}, "h": {"terms": {"field": "host"}}}
    found = ask({
        "width": {"histogram": {"field": "took", "interval": 5, "extended_bounds": {"min": -5, "max": 40}}},
        "some": {
            "histogram": {"field": "took", "interval": "2.5", "offset": 1, "min_doc_count": 1},
            "aggs": {"m": {"max": TOOK}},
        },
        "range": {"range": {**TOOK, "ranges": [{"to": 5}, {"from": 4, "to": 10}, {"from": 10, "key": "slow"}]}},
        "dates": {"date_range": {"field": "@timestamp", "ranges": [{"from": "now-1d"}, {"to": "now-1d"}]}},
        "filters": {
            "filters": {"filters": two, "other_bucket_key": "rest"},
            "aggs": {"same": {"filters": {"filters": two}}},
        },
        "list": {"filters": {"filters": [{"match_all": {}}]}},
        "filter": {"filter": {"term": {"service": "shop"}}, "aggs": {"t": {"sum": TOOK}}},
        "empty": {"filter": {"match_none": {}}, "aggs": nothing},
        "none": {"missing": TOOK},
    })  # fmt: skip
    values = tooks(docs)
    counts = Counter(math.floor(value / 5) * 5 for value in values)
    assert [(one["key"], one["doc_count"]) for one in found["width"]["buckets"]] == [
        (key, counts[key]) for key in range(-5, 41, 5)
    ]
    counts = Counter(math.floor((value - 1) / 2.5) * 2.5 + 1 for value in values)
    assert {one["key"]: one["doc_count"] for one in found["some"]["buckets"]} == counts
    assert found["some"]["buckets"][-1]["m"]["value"] == max(values)
    assert [(one["key"], one["doc_count"]) for one in found["range"]["buckets"]] == [
        ("*-5.0", sum(value < 5 for value in values)),
        ("4.0-10.0", sum(4 <= value < 10 for value in values)),
        ("slow", sum(value >= 10 for value in values)),
    ]
    border = datetime.now(UTC) - timedelta(days=1)
    late = sum(one.at >= border for one in docs)
    assert [one["doc_count"] for one in found["dates"]["buckets"]] == [late, len(docs) - late]
    shop = {at for at, one in enumerate(docs) if one.service == "shop"}
    web = {at for at, one in enumerate(docs) if one.host == "web1"}
    filters = found["filters"]["buckets"]
    assert {name: one["doc_count"] for name, one in filters.items()} == {
        "s": len(shop), "w": len(web), "rest": len(docs) - len(shop | web),
    }  # fmt: skip
    assert filters["s"]["same"]["buckets"] == {"s": {"doc_count": len(shop)}, "w": {"doc_count": len(shop & web)}}
    assert found["list"]["buckets"] == [{"doc_count": 300}]
    total = sum(one.took or 0 for one in docs if one.service == "shop")
    assert found["filter"] == {"doc_count": len(shop), "t": {"value": pytest.approx(total)}}
    assert found["empty"]["doc_count"] == 0
    assert (found["empty"]["t"], found["empty"]["h"]["buckets"]) == ({"value": 0.0}, [])
    assert found["none"]["doc_count"] == len(docs) - len(values)


_DEEP: dict[str, Any] = {"terms": {"field": "host"}}
for _ in range(5):
    _DEEP = {"terms": {"field": "host"}, "aggs": {"a": _DEEP}}
_TERMS = {"terms": {"field": "host"}}
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"a": {"moving_avg": {}}}, r"does not support \[moving_avg\]"),
    ({"a": {"avg": {"field": "host.name"}}}, "of type .keyword. is not supported for aggregation .avg."),
    ({"a": {"avg": {}}}, r"\[avg\] needs \[field\]"),
    ({"a": {"avg": {"field": "x", "script": "1"}}}, r"\[avg\] does not support \[script\]"),
    ({"a": {"avg": {"field": "x"}, "aggs": {"b": _TERMS}}}, "avg > aggs"),
    ({"a": {"terms": {"field": "message"}}}, "message.keyword"),
    ({"a": {"terms": {"field": "@timestamp"}}}, "date_histogram"),
    ({"a": {"terms": {"field": "host", "order": {"1": "asc"}}}}, "Invalid aggregation order path"),
    ({"a": {"terms": {"field": "host", "order": {"_count": "up"}}}}, r"\[order\] does not support \[up\]"),
    ({"a": {"terms": {"field": "host", "size": "x"}}}, "whole number"),
    ({"a": {"terms": {"field": "host", "include": "("}}}, "regular expression"),
    ({"a": {"date_histogram": {"field": "@timestamp"}}}, "fixed_interval"),
    ({"a": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1M"}}}, "fixed_interval"),
    ({"a": {"date_histogram": {"field": "@timestamp", "fixed_interval": "0s"}}}, "fixed_interval"),
    ({"a": {"date_histogram": {"field": "took", "fixed_interval": "1h"}}}, "@timestamp"),
    ({"a": {"histogram": {"field": "took", "interval": 0}}}, "above 0"),
    ({"a": {"percentiles": {"field": "took", "percents": [101]}}}, "from 0 to 100"),
    ({"a": {"filters": {"filters": {}}}}, "filters"),
    ({"a": _DEEP}, "nested more than 5"),
    ({str(at): _TERMS for at in range(21)}, "21 bucket"),
    ({"a": {}}, "one aggregation"),
    ({"a": {"terms": {}, "avg": {}}}, "one aggregation"),
    ({"a": []}, "an object"),
]


def refusal(aggs: dict[str, Any]) -> str:
    try:
        ask(aggs)
    except BadQuery as error:
        return str(error)
    return ""


def test_what_is_wrong_is_said(logs: Engine) -> None:
    for aggs, said in WRONG:
        assert re.search(said, refusal(aggs)), (aggs, refusal(aggs))


def test_too_many_buckets_are_refused(docs: list[Doc]) -> None:
    wide = {"field": "@timestamp", "fixed_interval": "1ms"}
    for one in (
        {"date_histogram": {**wide, "min_doc_count": 0}},
        {"date_histogram": {**wide, "fixed_interval": "1h", "extended_bounds": {"min": 0, "max": "now"}}},
        {"histogram": {"field": "took", "interval": 1e-7}},
    ):
        with pytest.raises(TooManyBuckets, match="too many buckets"):
            ask({"a": one})


def _combinations(docs: list[Doc]) -> Counter[tuple[int, str, str]]:
    return Counter((one.ms // HOUR_MS * HOUR_MS, one.host, one.service) for one in docs)


def test_composite_pages_through_every_combination_in_its_order(docs: list[Doc]) -> None:
    sources = [
        {"hour": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h", "order": "desc"}}},
        {"host": {"terms": {"field": "host.name"}}},
        {"service": {"terms": {"field": "service.name", "missing_bucket": True}}},
    ]
    wanted = _combinations(docs)
    found: list[dict[str, Any]] = []
    after: dict[str, Any] = {}
    while True:
        composite = {"sources": sources, "size": 7, **({"after": after} if after else {})}
        body = {"size": 0, "aggs": {"all": {"composite": composite, "aggs": {"took": {"avg": TOOK}}}}}
        page = searching.search(Reader(SYSTEM), "logs", body)["aggregations"]["all"]
        found += page["buckets"]
        if "after_key" not in page:
            break
        assert page["after_key"] == page["buckets"][-1]["key"]
        after = page["after_key"]
    keys = [(one["key"]["hour"], one["key"]["host"], one["key"]["service"] or "") for one in found]
    assert dict(zip(keys, (one["doc_count"] for one in found), strict=True)) == wanted
    assert keys == sorted(keys, key=lambda key: (-key[0], key[1], key[2]))
    assert {one["key"]["service"] for one in found} == {"shop", "pay", "mail", None}
    for key, one in zip(keys, found, strict=True):
        took = [doc.took for doc in docs if (doc.ms // HOUR_MS * HOUR_MS, doc.host, doc.service) == key]
        known = [value for value in took if value is not None]
        assert one["took"]["value"] == (pytest.approx(statistics.fmean(known)) if known else None)


def test_composite_has_buckets_inside_and_numbers_as_keys(docs: list[Doc]) -> None:
    composite = {
        "sources": [{"took": {"histogram": {"field": "took", "interval": 5}}}],
        "size": 3,
        "after": {"took": 0},
    }
    body = {"size": 0, "aggs": {"c": {"composite": composite, "aggs": {"by": {"terms": {"field": "host.name"}}}}}}
    found = searching.search(Reader(SYSTEM), "logs", body)["aggregations"]["c"]["buckets"]
    assert [one["key"]["took"] for one in found] == [5, 10, 15]
    for one in found:
        low = one["key"]["took"]
        inside = Counter(doc.host for doc in docs if doc.took is not None and low <= doc.took < low + 5)
        assert {host["key"]: host["doc_count"] for host in one["by"]["buckets"]} == inside
        assert one["doc_count"] == sum(inside.values())


@pytest.mark.parametrize(
    "composite",
    [
        {},
        {"sources": []},
        {"sources": [{"a": {"terms": {"field": "host.name", "order": "up"}}}]},
        {"sources": [{"a": {"geotile_grid": {"field": "host.name"}}}]},
        {"sources": [{"a": {"terms": {"field": "host.name"}}}], "after": {"b": 1}},
        {"sources": [{"a": {"terms": {"field": "host.name"}}}, {"a": {"terms": {"field": "service.name"}}}]},
        {"sources": [{"a": {"histogram": {"field": "took", "interval": 5}}}], "after": {"a": "x"}},
        {"sources": [{"a": {"terms": {"field": "message"}}}]},
    ],
)
def test_a_composite_that_cannot_be_is_refused(logs: Engine, composite: dict[str, Any]) -> None:
    with pytest.raises(BadQuery):
        searching.search(Reader(SYSTEM), "logs", {"size": 0, "aggs": {"a": {"composite": composite}}})


def test_composite_stands_at_the_top_only(logs: Engine) -> None:
    inner = {"composite": {"sources": [{"a": {"terms": {"field": "host.name"}}}]}}
    outer = {"terms": {"field": "service.name"}, "aggs": {"in": inner}}
    with pytest.raises(BadQuery, match="inside of another"):
        searching.search(Reader(SYSTEM), "logs", {"size": 0, "aggs": {"a": outer}})
