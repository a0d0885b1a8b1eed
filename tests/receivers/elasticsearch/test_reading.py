"""Lines that Elasticsearch's clients sent, read again by the same clients (9 and 7.17), and by hand as Grafana asks."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest
from elasticsearch import BadRequestError, Elasticsearch, NotFoundError, helpers
from tests.lab.intake import IntakeLab
from tests.lab.parts import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


@dataclass(frozen=True)
class Sent:
    """Documents under an index of their own, and who reads them."""

    client: Elasticsearch
    index: str
    documents: list[dict[str, Any]]
    url: str
    token: str
    intake: IntakeLab

    @property
    def query(self) -> dict[str, Any]:
        return {"range": {"@timestamp": {"gte": "now-1h", "lte": "now+1h"}}}


@pytest.fixture(scope="module")
def sent(intake: IntakeLab) -> Iterator[Sent]:
    index, start = intake.unique("books"), datetime.now(UTC) - timedelta(minutes=30)
    documents = [
        {
            "@timestamp": (start + timedelta(seconds=at)).isoformat(timespec="milliseconds"),
            "message": f"order {at} took long" if at % 5 else f"order {at} failed",
            "log": {"level": "info" if at % 5 else "error"},
            "service": {"name": ("shop", "pay", "mail")[at % 3]},
            "http": {"status": 200 + at % 4 * 100},
        }
        for at in range(120)
    ]
    with Elasticsearch(intake.url) as writer:
        actions = [{"_op_type": "create", "_index": index, "_source": one} for one in documents]
        assert helpers.bulk(writer, actions) == (120, [])
    intake.arrived("SELECT 1 FROM logs WHERE attributes['elasticsearch.index'] = {i:String}", 120, i=index)
    url, token = f"{intake.instance.url}/es", intake.instance.token
    with Elasticsearch(url, api_key=token, http_compress=True) as client:
        yield Sent(client, index, documents, url, token, intake)


def test_the_client_knows_the_product_and_the_fields(sent: Sent) -> None:
    assert sent.client.info()["version"]["number"] == "8.19.0"
    assert sent.client.ping()
    assert sent.client.cluster.health()["status"] == "green"
    properties = sent.client.indices.get_mapping(index=sent.index)[sent.index]["mappings"]["properties"]
    assert properties["@timestamp"] == {"type": "date"}
    assert properties["http"]["properties"]["status"] == {"type": "long"}
    caps = sent.client.field_caps(index=sent.index, fields=["http.*", "message*"])["fields"]
    assert sorted(caps) == ["http.status", "message", "message.keyword"]
    assert caps["http.status"]["long"]["aggregatable"]
    assert sent.client.indices.exists(index=sent.index)
    assert not sent.client.indices.exists(index="none-such")
    listed = {one["index"]: one["docs.count"] for one in sent.client.cat.indices(format="json")}
    assert listed[sent.index] == "120"
    assert f"{sent.index} 120" in str(sent.client.cat.indices(index=sent.index))


def test_the_client_counts_and_finds_what_python_does(sent: Sent) -> None:
    assert sent.client.count(index=sent.index)["count"] == 120
    failed = [one for one in sent.documents if "failed" in one["message"]]
    found = sent.client.search(
        index=sent.index, query={"match": {"message": "FAILED"}}, size=100, sort=[{"@timestamp": "asc"}]
    )
    assert found["hits"]["total"] == {"value": len(failed), "relation": "eq"}
    assert [hit["_source"]["message"] for hit in found["hits"]["hits"]] == [one["message"] for one in failed]
    hit = found["hits"]["hits"][0]
    assert (hit["_index"], hit["_source"]["service"]["name"]) == (sent.index, failed[0]["service"]["name"])
    stamp = datetime.fromisoformat(hit["_source"]["@timestamp"])
    assert stamp == datetime.fromisoformat(failed[0]["@timestamp"])
    assert hit["sort"] == [round(stamp.timestamp() * 1000)]
    text = "service.name:shop AND http.status:[300 TO *] AND NOT log.level:error"
    wanted = [
        one for one in sent.documents
        if one["service"]["name"] == "shop" and one["http"]["status"] >= 300 and one["log"]["level"] != "error"
    ]  # fmt: skip
    assert sent.client.count(index=sent.index, q=text)["count"] == len(wanted)


def test_the_client_reads_page_after_page(sent: Sent) -> None:
    after: list[Any] | None = None
    messages: list[str] = []
    while True:
        page = sent.client.search(
            index=sent.index, size=50, sort=[{"@timestamp": "desc"}, {"_doc": "desc"}], search_after=after
        )
        hits = page["hits"]["hits"]
        if not hits:
            break
        messages += [hit["_source"]["message"] for hit in hits]
        after = hits[-1]["sort"]
    assert messages == [one["message"] for one in reversed(sent.documents)]


def test_the_client_aggregates_what_python_does(sent: Sent) -> None:
    found = sent.client.search(
        index=sent.index, size=0, query=sent.query,
        aggs={
            "services": {
                "terms": {"field": "service.name"},
                "aggs": {
                    "minutes": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1m", "min_doc_count": 1}},
                    "status": {"avg": {"field": "http.status"}},
                },
            },
            "levels": {"cardinality": {"field": "log.level"}},
        },
    )  # fmt: skip
    assert found["aggregations"]["levels"]["value"] == 2
    for bucket in found["aggregations"]["services"]["buckets"]:
        mine = [one for one in sent.documents if one["service"]["name"] == bucket["key"]]
        times = [round(datetime.fromisoformat(one["@timestamp"]).timestamp() * 1000) for one in mine]
        minutes = Counter(at // 60_000 * 60_000 for at in times)
        assert {one["key"]: one["doc_count"] for one in bucket["minutes"]["buckets"]} == minutes
        assert bucket["status"]["value"] == pytest.approx(sum(one["http"]["status"] for one in mine) / len(mine))


def test_the_client_asks_several_at_once(sent: Sent) -> None:
    answers = sent.client.msearch(
        searches=[
            {"index": sent.index}, {"size": 0, "query": {"term": {"service.name": "shop"}}},
            {"index": "none-such"}, {},
            {"index": ["none-such", sent.index], "ignore_unavailable": True}, {"size": 1},
            {"index": sent.index}, {"query": {"geo_shape": {}}},
        ]
    )["responses"]  # fmt: skip
    assert [one["status"] for one in answers] == [200, 404, 200, 400]
    assert answers[0]["hits"]["total"]["value"] == 40
    assert answers[1]["error"]["type"] == "index_not_found_exception"
    assert answers[3]["error"]["type"] == "parsing_exception"


def test_the_client_raises_its_own_errors(sent: Sent) -> None:
    with pytest.raises(NotFoundError, match="index_not_found_exception"):
        sent.client.search(index="none-such")
    with pytest.raises(BadRequestError, match=r"does not support \[fuzzy\]"):
        sent.client.search(index=sent.index, query={"fuzzy": {"message": "ordr"}})
    with pytest.raises(BadRequestError, match="documents are sent to the intake"):
        sent.client.index(index=sent.index, document={"message": "x"})


class Web:
    """Requests by hand."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent

    def __call__(self, method: str, path: str, content: bytes = b"", **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self._sent.token}", "Content-Type": "application/json", **headers}
        return httpx.request(method, f"{self._sent.url}{path}", content=content, headers=sent, timeout=30)


@pytest.fixture(scope="module")
def web(sent: Sent) -> Web:
    return Web(sent)


def test_grafana_is_answered(web: Web, sent: Sent) -> None:
    """What its data source sends: a health check, then `_msearch` with a histogram, and with lines."""
    end = round(datetime.now(UTC).timestamp() * 1000)
    times = {"range": {"@timestamp": {"gte": end - 3_600_000, "lte": end, "format": "epoch_millis"}}}
    query = {"bool": {"filter": [times, {"query_string": {"analyze_wildcard": True, "query": "order"}}]}}
    bounds = {"min": end - 3_600_000, "max": end}
    histogram = {"field": "@timestamp", "min_doc_count": 0, "extended_bounds": bounds, "format": "epoch_millis"}
    header = {"ignore_unavailable": True, "index": sent.index, "search_type": "query_then_fetch"}
    metric = {"size": 0, "query": query, "aggs": {"2": {"date_histogram": {**histogram, "fixed_interval": "5m"}}}}
    lines = {
        "size": 500, "query": query, "script_fields": {}, "docvalue_fields": ["@timestamp"],
        "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "boolean"}}, {"_doc": {"order": "desc"}}],
        "highlight": {"fields": {"*": {}}, "pre_tags": ["@H@"], "post_tags": ["@/H@"], "fragment_size": 2147483647},
        "aggs": {"1": {"date_histogram": {**histogram, "time_zone": "utc", "fixed_interval": "1m"}}},
    }  # fmt: skip
    content = b"".join(orjson.dumps(one) + b"\n" for one in (header, metric, header, lines))
    answer = web(
        "POST", "/_msearch?max_concurrent_shard_requests=5", content, **{"Content-Type": "application/x-ndjson"}
    )
    first, second = answer.json()["responses"]
    assert sum(one["doc_count"] for one in first["aggregations"]["2"]["buckets"]) == 120
    assert len(first["aggregations"]["2"]["buckets"]) == 13
    assert second["hits"]["hits"][0]["fields"]["@timestamp"]
    assert web("GET", "/_cluster/health?wait_for_status=yellow").json()["status"] == "green"


def test_answers_are_in_the_type_that_was_asked_for(web: Web, sent: Sent) -> None:
    own = "application/vnd.elasticsearch+json; compatible-with=8"
    for method, headers in (("GET", {"Accept": own}), ("POST", {"Content-Type": own})):
        answer = web(method, f"/{sent.index}/_count", **headers)
        assert answer.headers["Content-Type"] == "application/vnd.elasticsearch+json;compatible-with=8"
        assert answer.headers["X-Elastic-Product"] == "Elasticsearch"
    packed = web(
        "POST", f"/{sent.index}/_count", gzip.compress(b'{"query":{"match_none":{}}}'), **{"Content-Encoding": "gzip"}
    )
    assert packed.json()["count"] == 0
    address = web(
        "GET", f"/{sent.index}/_search?q=order&size=1&sort=@timestamp:asc&_source=message&track_total_hits=true"
    )
    assert address.json()["hits"]["hits"][0]["_source"] == {"message": "order 0 failed"}
    old = web("GET", f"/{sent.index}/_search?size=0&rest_total_hits_as_int=true")
    assert old.json()["hits"]["total"] == 120


def test_hostile_requests_get_a_sentence(web: Web) -> None:
    deep = b'{"query":' * 2000 + b"{}" + b"}" * 2000
    for path, content, status in (
        ("/_search", b"{", 400), ("/_search", b"[]", 400), ("/_search", deep, 400), ("/_search", b"\xff", 400),
        ("/_search?size=1e9", b"", 400), ("/_search?sieze=1", b"", 400), ("/_search", b'{"size":1e400}', 400),
        ("/_msearch", b"{}\n", 400), ("/_msearch", b"", 400), ("/_msearch", b"{}\n{}\n" * 51, 400),
        ("/_search", b'{"query":{"term":{"a":"\\ud800"}}}', 400), ("/_bulk", b"", 400), ("/a/b/c", b"", 400),
        ("/%3Cscript%3E/_search", b"", 400), ("/_search/template", b"{}", 400),
        ("/_search", b'{"aggs":{"a":{"scripted_metric":{}}}}', 400), ("/_search", b'{"query":{"script":{}}}', 400),
    ):  # fmt: skip
        answer = web("POST", path, content)
        assert (answer.status_code, answer.headers.get("X-Elastic-Product")) == (status, "Elasticsearch"), (
            path,
            content,
        )
        assert answer.json()["error"]["reason"]
    assert web("DELETE", "/logs").json()["status"] == 400
    broken = web("POST", "/_search", b"no gzip", **{"Content-Encoding": "gzip"})
    assert broken.status_code == 400


def test_nobody_else_is_answered(web: Web, sent: Sent) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer x"}, {"Authorization": "ApiKey eDp5"}):
        answer = web("GET", "/_search", **headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "security_exception"), headers
        assert "Basic" in answer.headers["WWW-Authenticate"]
    for auth in (("any", sent.token),):
        assert httpx.get(f"{sent.url}/", auth=auth).json()["tagline"]


def _orders(hits: list[dict[str, Any]]) -> list[str]:
    return [hit["_source"]["message"] for hit in hits]


def test_the_helper_scans_every_document_once(sent: Sent) -> None:
    found = list(helpers.scan(sent.client, index=sent.index, size=50, query={"query": {"match_all": {}}}))
    assert sorted(_orders(found)) == sorted(one["message"] for one in sent.documents)
    failed = {"query": {"match": {"message": "failed"}}, "sort": [{"service.name": "asc"}]}
    ordered = list(helpers.scan(sent.client, index=sent.index, size=7, query=failed, preserve_order=True))
    services = [hit["_source"]["service"]["name"] for hit in ordered]
    assert (len(services), services) == (24, sorted(services))
    assert all(len(hit["sort"]) == 1 for hit in ordered)


def test_a_scroll_does_not_see_what_comes_later_and_ends(sent: Sent) -> None:
    first = sent.client.search(index=f"{sent.index}*", scroll="1m", size=100, sort="_doc")
    opened = int(time.time())
    wait_until(lambda: int(time.time()) > opened, "the next second")
    with Elasticsearch(sent.intake.url) as writer:
        later = {**sent.documents[0], "message": "later", "@timestamp": datetime.now(UTC).isoformat()}
        action = {"_op_type": "create", "_index": f"{sent.index}-later", "_source": later}
        assert helpers.bulk(writer, [action]) == (1, [])
    sql = "SELECT 1 FROM logs WHERE attributes['elasticsearch.index'] = {i:String}"
    sent.intake.arrived(sql, 1, i=f"{sent.index}-later")
    key = first["_scroll_id"]
    rest = sent.client.scroll(scroll_id=key, scroll="1m")
    assert (len(rest["hits"]["hits"]), rest["hits"]["total"]["value"]) == (20, 120)
    assert "later" not in _orders(rest["hits"]["hits"])
    assert sent.client.scroll(scroll_id=key)["hits"]["hits"] == []
    assert sent.client.clear_scroll(scroll_id=key)["num_freed"] == 1
    with pytest.raises(NotFoundError) as gone:
        sent.client.scroll(scroll_id=key)
    assert gone.value.error == "search_context_missing_exception"
    with pytest.raises(NotFoundError):
        sent.client.clear_scroll(scroll_id=key)


def test_a_point_in_time_is_read_with_search_after(sent: Sent) -> None:
    point = sent.client.open_point_in_time(index=sent.index, keep_alive="1m")["id"]
    asked: dict[str, Any] = {"size": 33, "sort": [{"service.name": "desc"}], "pit": {"id": point, "keep_alive": "1m"}}
    query = {"prefix": {"message": "order"}}
    found: list[dict[str, Any]] = []
    while hits := sent.client.search(query=query, **asked)["hits"]["hits"]:
        found += hits
        asked["search_after"] = hits[-1]["sort"]
    assert sorted(_orders(found)) == sorted(one["message"] for one in sent.documents)
    services = [hit["sort"][0] for hit in found]
    assert services == sorted(services, reverse=True)
    assert sent.client.close_point_in_time(id=point)["succeeded"]
    with pytest.raises(NotFoundError):
        sent.client.search(**asked)


def test_composite_is_read_to_its_end(sent: Sent) -> None:
    sources = [{"service": {"terms": {"field": "service.name"}}}, {"level": {"terms": {"field": "log.level"}}}]
    found: dict[tuple[str, str], int] = {}
    after: dict[str, Any] = {}
    while True:
        aggs = {"all": {"composite": {"sources": sources, "size": 2, **after}}}
        query = {"prefix": {"message": "order"}}
        page = sent.client.search(index=sent.index, size=0, query=query, aggs=aggs)["aggregations"]["all"]
        found |= {(one["key"]["service"], one["key"]["level"]): one["doc_count"] for one in page["buckets"]}
        if "after_key" not in page:
            break
        after = {"after": page["after_key"]}
    assert found == Counter((one["service"]["name"], one["log"]["level"]) for one in sent.documents)
