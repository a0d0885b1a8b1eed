"""Elasticsearch's query DSL over lines: what each query finds, and what is wrong said in a sentence."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from tests.logs.lines import ago, line, load
from tests.telemetry.engines import Engine

from quarterdeck.access.models import Role, RoleBinding, User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadQuery, Denied
from quarterdeck.inventory import actions
from quarterdeck.inventory.models import Item
from quarterdeck.logs.elastic import mapping, searching
from quarterdeck.logs.elastic.reading import NoIndex, Reader
from quarterdeck.monitoring.senders.binding import bind
from quarterdeck.telemetry.canonical import Sender

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _filled(logs: Engine) -> None:
    sent = {"elasticsearch.index": "filebeat-1"}
    load(
        line(
            "a Timeout of db-1", ago(seconds=50), service="shop", level="error", trace_id="ab12" * 8,
            attributes={"http.status": "500", "user name": "Ann", "took": "1.5", **sent},
        ),
        line("b all fine", ago(seconds=40), service="shop", level="info", attributes={"http.status": "200", **sent}),
        line("c not found /a/b", ago(seconds=30), service="Pay", host="web2", resource={"k8s.pod.name": "p1"}),
        line("d 订单 超时 50%_x", ago(seconds=20), service="pay", level="warning", component="app.db"),
        line("e", ago(days=3), host=""),
    )  # fmt: skip


def search(body: dict[str, Any], index: str = "", actor: Actor = SYSTEM) -> dict[str, Any]:
    return searching.search(Reader(actor), index, body)


def found(query: dict[str, Any], **more: Any) -> str:
    """The first letters of the messages that a query finds, in order."""
    hits = search({"query": query, "size": 50, **more})["hits"]["hits"]
    return "".join(sorted(hit["_source"]["message"][0] for hit in hits))


def string(text: str, **more: Any) -> dict[str, Any]:
    return {"query_string": {"query": text, **more}}


QUERIES: list[tuple[dict[str, Any], str]] = [
    ({"match_all": {}}, "abcde"),
    ({"match_none": {}}, ""),
    ({"term": {"service.name": "shop"}}, "ab"),
    ({"term": {"service.name.keyword": {"value": "shop", "boost": 2}}}, "ab"),
    ({"term": {"service": "pay"}}, "d"),
    ({"term": {"service.name": {"value": "PAY", "case_insensitive": True}}}, "cd"),
    ({"term": {"log.level": "ERROR"}}, "a"),
    ({"term": {"level": "warn"}}, "d"),
    ({"term": {"http.status": 500}}, "a"),
    ({"term": {"http.status": 500.0}}, "a"),
    ({"term": {"user name": "Ann"}}, "a"),
    ({"term": {"user name'] OR 1": "Ann"}}, ""),
    ({"term": {"message": "timeout"}}, "a"),
    ({"term": {"message.keyword": "e"}}, "e"),
    ({"term": {"trace.id": "AB12" * 8}}, "a"),
    ({"term": {"kubernetes.pod.name": "p1"}}, "c"),
    ({"term": {"resource.attributes.k8s.pod.name": "p1"}}, "c"),
    ({"term": {"attributes.k8s.pod.name": "p1"}}, ""),
    ({"term": {"_index": "logs"}}, "cde"),
    ({"terms": {"service.name": ["shop", "pay"]}}, "abd"),
    ({"terms": {"http.status": [200, 201]}}, "b"),
    ({"range": {"@timestamp": {"gte": "now-1h"}}}, "abcd"),
    ({"range": {"@timestamp": {"lt": "now-1d/d"}}}, "e"),
    ({"range": {"http.status": {"gt": 200, "lte": "500"}}}, "a"),
    ({"range": {"took": {"gte": 1, "lt": 10}}}, "a"),
    ({"range": {"service.name": {"gte": "pay"}}}, "abd"),
    ({"exists": {"field": "http.status"}}, "ab"),
    ({"exists": {"field": "host.name"}}, "abcd"),
    ({"bool": {"must_not": {"exists": {"field": "http.status"}}}}, "cde"),
    ({"bool": {"must": [{"match": {"message": "timeout"}}], "should": [{"term": {"service": "no"}}]}}, "a"),
    ({"bool": {"should": [{"term": {"service": "shop"}}, {"term": {"level": "warning"}}]}}, "abd"),
    (
        {
            "bool": {
                "should": [{"term": {"service": "shop"}}, {"term": {"level": "info"}}, {"match_none": {}}],
                "minimum_should_match": 2,
            }
        },
        "b",
    ),
    ({"bool": {"filter": {"term": {"service": "shop"}}, "must_not": [{"term": {"level": "info"}}]}}, "a"),
    ({"bool": {}}, "abcde"),
    ({"constant_score": {"filter": {"term": {"service": "shop"}}}}, "ab"),
    ({"match": {"message": "fine FOUND"}}, "bc"),
    ({"match": {"message": {"query": "fine all", "operator": "and"}}}, "b"),
    ({"match": {"message": {"query": "all fine found", "minimum_should_match": "67%"}}}, "b"),
    ({"match": {"service.name": "shop"}}, "ab"),
    ({"match_phrase": {"message": "timeout of DB"}}, "a"),
    ({"match_phrase": {"message": "of db 1"}}, "a"),
    ({"match_phrase": {"message": "of timeout"}}, ""),
    ({"match_phrase": {"message": "超时"}}, "d"),
    ({"match_phrase_prefix": {"message": "all fi"}}, "b"),
    ({"multi_match": {"query": "shop", "fields": ["message", "service.name^3"]}}, "ab"),
    ({"prefix": {"service.name": "sh"}}, "ab"),
    ({"prefix": {"message": "time"}}, "a"),
    ({"wildcard": {"service.name": "s?o*"}}, "ab"),
    ({"wildcard": {"service.name": {"wildcard": "P*", "case_insensitive": True}}}, "cd"),
    ({"wildcard": {"message": "*imeou?"}}, "a"),
    ({"wildcard": {"message.keyword": {"value": "* 50%_x"}}}, "d"),
    ({"wildcard": {"message.keyword": {"value": "*\\*"}}}, ""),
    ({"regexp": {"service.name": "[sS]h.p"}}, "ab"),
    ({"regexp": {"service.name": "ho"}}, ""),
    ({"regexp": {"message": "time.*"}}, "a"),
    (string("timeout"), "a"),
    (string("fine found"), "bc"),
    (string("fine AND all"), "b"),
    (string("fine found", default_operator="AND"), ""),
    (string("+service.name:shop -level:info"), "a"),
    (string("service.name:(shop OR pay)"), "abd"),
    (string("service:shop AND NOT fine"), "a"),
    (string("fine OR found AND c"), "c"),
    (string('"timeout of db"'), "a"),
    (string("http.status:[200 TO 500}"), "b"),
    (string("http.status:>=500"), "a"),
    (string("http.status:{200 TO *]"), "a"),
    (string("@timestamp:[now-1h TO now]"), "abcd"),
    (string("_exists_:http.status"), "ab"),
    (string("service.name:/sh.*/"), "ab"),
    (string("service.name:s?op OR host:web2"), "abc"),
    (string("user\\ name:Ann"), "a"),
    (string("*"), "abcde"),
    (string("*:*"), "abcde"),
    (string("!fine && c || zzz"), "c"),
    (string("shop", fields=["service.name^2", "message"]), "ab"),
    (string("db-1"), "a"),
    (string("timeout^2 \"all fine\"~0"), "ab"),
    ({"simple_query_string": {"query": 'fine | "not found"', "fields": ["message"]}}, "bc"),
    ({"simple_query_string": {"query": '"unclosed fine'}}, "b"),
    ({"ids": {"values": ["x", "1-2"]}}, ""),
]  # fmt: skip


def test_queries_find_and_count() -> None:
    """All in one: the lines are loaded once."""
    for query, letters in QUERIES:
        assert (query, found(query)) == (query, letters)
        assert searching.count(Reader(SYSTEM), "*", {"query": query})["count"] == len(letters), query


_DEEP: dict[str, Any] = {"match_all": {}}
for _ in range(40):
    _DEEP = {"bool": {"must": [_DEEP]}}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"query": {"matchall": {}}}, r"\[query\] does not support \[matchall\]"),
    ({"query": {"term": {"a": 1, "b": 2}}}, r"\[term\] takes one field"),
    ({"query": {"term": {"a": {"value": [1]}}}}, r"\[term\] takes a text, a number"),
    ({"query": {"term": {"a": {"vlaue": 1}}}}, r"did you mean"),
    ({"query": []}, "an object"),
    ({"query": _DEEP}, "nested more than 30"),
    ({"query": {"bool": {"must": [{"match_all": {}}] * 1001}}}, "more than 1000 clauses"),
    ({"query": {"terms": {"a": ["x"] * 10_001}}}, "lists 10001 values"),
    ({"query": {"regexp": {"a": "("}}}, "regular expression"),
    ({"query": {"regexp": {"a": "(x{1000}){1000}"}}}, "regular expression"),
    ({"query": {"regexp": {"a": "a~b"}}}, r"operator \[~\]"),
    ({"query": {"range": {"@timestamp": {"gte": "soon"}}}}, "failed to parse date"),
    ({"query": {"range": {"@timestamp": {"gte": "now+999999999y"}}}}, "failed to parse date"),
    ({"query": {"range": {"@timestamp": {"gte": 1, "format": "yy"}}}}, r"\[format\] does not support \[yy\]"),
    ({"query": {"range": {"@timestamp": {"gte": 1, "time_zone": "../etc"}}}}, "unknown time zone"),
    ({"query": {"range": {"message": {"gte": 1}}}}, r"\[range\] does not support the field"),
    ({"query": {"fuzzy": {"a": "b"}}}, r"does not support \[fuzzy\]"),
    ({"query": string("a AND (b")}, "character 9"),
    ({"query": string("a~2")}, r"does not support \[~2\]"),
    ({"query": string("(" * 60 + "a" + ")" * 60)}, "nested more than 30"),
    ({"query": string("a " * 1500)}, "1500 terms"),
    ({"query": string("a" * 40_000)}, "takes a text"),
    ({"query": {"term": {"_source": 1}}}, r"\[field\] does not support \[_source\]"),
    ({"query": {"term": {"x\u0000": 1}}}, r"\[field\] does not support"),
    ({"size": 10_001}, "Result window is too large"),
    ({"size": -1}, "whole number"),
    ({"size": True}, "whole number"),
    ({"from": 9_999}, "Result window is too large"),
    ({"sort": [{"a": "up"}]}, r"\[sort\] does not support \[up\]"),
    ({"sort": ["a"] * 11}, "at most 10"),
    ({"sort": ["a"], "search_after": ["x"]}, r"\[search_after\] does not support the field"),
    ({"sort": ["@timestamp"], "search_after": ["x", "y"]}, "one value for each"),
    ({"_source": 7}, "_source"),
    ({"script_fields": {"a": {}}}, r"\[search\] does not support \[script_fields\]"),
    ({"qeury": {}}, 'did you mean "query"'),
]


def refusal(body: dict[str, Any]) -> str:
    try:
        search(body)
    except BadQuery as error:
        return str(error)
    return ""


def test_what_is_wrong_is_said() -> None:
    for body, said in WRONG:
        assert re.search(said, refusal(body)), (body, refusal(body))


def test_names_cannot_reach_the_engines_functions() -> None:
    names = ["url('http://127.0.0.1/')", "x'] = '' OR file('/etc/passwd') != '", "a}{b:String", "'", "\\", "x\\'", "`"]
    for name in names:
        for query in ({"term": {name: "v"}}, {"exists": {"field": name}}, {"range": {name: {"gt": 1}}},
                      {"wildcard": {name: "*a"}}, {"regexp": {name: "a"}}, {"term": {"service": name}}):  # fmt: skip
            assert found(query) == "", (name, query)
        answer = search({"sort": [name], "aggs": {"a": {"terms": {"field": name}}, "b": {"sum": {"field": name}}}})
        assert answer["aggregations"]["a"]["buckets"] == []
        assert answer["hits"]["total"]["value"] == 5


def test_an_index_is_the_name_that_lines_were_sent_under() -> None:
    def letters(index: str) -> str:
        return "".join(sorted(hit["_source"]["message"][0] for hit in search({}, index)["hits"]["hits"]))

    for index in ("", "_all", "*", "logs", "logs-*", "logs,filebeat-1"):
        assert letters(index) == "abcde", index
    assert letters("filebeat-*") == letters("filebeat-1") == "ab"
    assert letters("*,-filebeat-*") == "cde"
    assert letters("none-*") == ""
    with pytest.raises(NoIndex, match="no such index"):
        search({}, "none")
    with pytest.raises(BadQuery):
        search({}, "<logs-{now/d}>")
    [hit] = search({"query": {"term": {"http.status": 500}}})["hits"]["hits"]
    assert hit["_index"] == "filebeat-1"
    assert "elasticsearch" not in hit["_source"]


def test_hits_look_like_documents() -> None:
    query = {"term": {"http.status": 500}}
    shown = {"fields": ["@timestamp", "http.*", "service.name.keyword"]}
    times = {"docvalue_fields": [{"field": "@timestamp", "format": "epoch_millis"}]}
    [hit] = search({"query": query, **shown, **times})["hits"]["hits"]
    source = hit["_source"]
    assert source["message"] == "a Timeout of db-1"
    assert (source["service"], source["log"], source["trace"]) == (
        {"name": "shop"},
        {"level": "error"},
        {"id": "ab12" * 8},
    )
    assert source["http"] == {"status": "500"}
    assert source["@timestamp"].endswith("Z")
    assert hit["fields"]["http.status"] == ["500"]
    assert hit["fields"]["service.name.keyword"] == ["shop"]
    assert hit["fields"]["@timestamp"][0].isdecimal()
    assert found({"ids": {"values": [hit["_id"]]}}) == "a"
    [hit] = search({"query": query, "_source": ["serv*", "log.level"]})["hits"]["hits"]
    assert hit["_source"] == {"service": {"name": "shop"}, "log": {"level": "error"}}
    [hit] = search({"query": query, "_source": {"excludes": ["service", "*.i?", "http"]}})["hits"]["hits"]
    assert "service" not in hit["_source"]
    assert "http" not in hit["_source"]
    assert "_source" not in search({"query": query, "_source": False})["hits"]["hits"][0]


def test_totals_count_as_far_as_asked() -> None:
    assert search({"size": 0})["hits"]["total"] == {"value": 5, "relation": "eq"}
    assert search({"track_total_hits": 3})["hits"]["total"] == {"value": 3, "relation": "gte"}
    assert search({"track_total_hits": True})["hits"]["total"] == {"value": 5, "relation": "eq"}
    assert "total" not in search({"track_total_hits": False})["hits"]


@pytest.mark.parametrize(
    "sort",
    [
        [{"@timestamp": {"order": "desc", "unmapped_type": "boolean"}}, {"_doc": "desc"}],
        ["@timestamp", "_id"],
        [{"service.name": "desc"}, {"@timestamp": "asc"}, "_doc"],
        [{"log.level": "asc"}, {"_doc": "asc"}],
        "_doc",
    ],
)
def test_a_page_goes_on_behind_the_last_hit(sort: Any) -> None:
    whole = [hit["_id"] for hit in search({"sort": sort})["hits"]["hits"]]
    pages: list[str] = []
    after = None
    while hits := search({"sort": sort, "size": 2, **({"search_after": after} if after else {})})["hits"]["hits"]:
        pages += [hit["_id"] for hit in hits]
        after = hits[-1]["sort"]
    assert pages == whole
    assert len(set(whole)) == 5
    assert [hit["_id"] for hit in search({"sort": sort, "from": 1, "size": 2})["hits"]["hits"]] == whole[1:3]


def test_attributes_are_sorted_as_numbers() -> None:
    load(line("f", attributes={"http.status": "99"}), line("g", attributes={"http.status": "x"}))
    hits = search({"sort": [{"http.status": "asc"}]})["hits"]["hits"]
    assert [hit["sort"][0] for hit in hits] == ["99", "200", "500", "x", None, None, None]


def test_one_reads_only_lines_of_items_that_one_may_query(stranger: Actor, stranger_user: User) -> None:
    with pytest.raises(Denied):
        search({}, actor=stranger)
    role = Role.objects.create(name="prod", verbs=["inventory.view", "telemetry.query"], query="env:prod")
    RoleBinding.objects.create(role=role, user=stranger_user)
    other = Sender("host", "web9", {"host.name": "web9"})
    load(line("f secret", sender=other, host="web9", attributes={"mine": "1", "elasticsearch.index": "other"}))
    bind(SYSTEM)
    actions.update_item(SYSTEM, Item.objects.get(name="web9"), {"env": "prod"})
    aggs = {"hosts": {"terms": {"field": "host.name"}}, "sum": {"sum": {"field": "mine"}}}
    answer = search({"aggs": aggs}, actor=stranger)
    assert [hit["_source"]["message"] for hit in answer["hits"]["hits"]] == ["f secret"]
    assert answer["hits"]["total"]["value"] == answer["aggregations"]["sum"]["value"] == 1
    assert [one["key"] for one in answer["aggregations"]["hosts"]["buckets"]] == ["web9"]
    hidden = search({"query": {"term": {"http.status": 500}}})["hits"]["hits"][0]["_id"]
    others = {"bool": {"should": [{"match_all": {}}], "must_not": {"match": {"message": "f"}}}}
    for query in ({"ids": {"values": [hidden]}}, others):
        assert searching.count(Reader(stranger), "*", {"query": query})["count"] == 0
    assert mapping.indices(Reader(stranger), "*") == [("other", 1)]
    reader = Reader(stranger)
    assert "http.status" not in mapping.fields(reader, reader.of_index(""))
    with pytest.raises(NoIndex):
        search({}, "filebeat-1", actor=stranger)


def test_pages_of_a_scroll_hold_lines_that_are_the_same(logs: Engine) -> None:
    at = ago(seconds=10)
    load(*(line("same", at, service="twins") for _ in range(7)), line("same", ago(seconds=9), service="twins"))
    body = {"query": {"term": {"service.name": "twins"}}, "size": 3}
    opened, position, seen = int(time.time()), None, []
    for _page in range(4):
        found = searching.search_in(Reader(SYSTEM), "", body, searching.Frozen(opened, position, is_scroll=True))
        seen.append(len(found.answer["hits"]["hits"]))
        position = found.position or position
    assert seen == [3, 3, 2, 0]


def test_a_scroll_needs_an_order_that_has_places(logs: Engine) -> None:
    body = {"sort": [{"http.status": "asc"}]}
    with pytest.raises(BadQuery, match="search_after"):
        searching.search_in(Reader(SYSTEM), "", body, searching.Frozen(int(time.time())))
