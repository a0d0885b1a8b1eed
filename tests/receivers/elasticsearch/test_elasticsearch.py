"""Elasticsearch's bulk with its own clients for Python (9 and 7.17) and with rsyslog, and by hand."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from elasticsearch import Elasticsearch, helpers
from tests.lab.intake import IntakeLab
from tests.lab.parts import ROOT
from tests.lab.rsyslog import rsyslog, write

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]
_ROWS = "SELECT * FROM logs WHERE service = {s:String} ORDER BY message"
_V7 = """
import sys
from elasticsearch import Elasticsearch, helpers
client = Elasticsearch([sys.argv[1]])
documents = [{"_index": "logs-7", "message": f"line {at}", "service": {"name": sys.argv[2]}} for at in range(3)]
print(client.info()["version"]["number"], helpers.bulk(client, documents))
"""
_V7_READS = """
import sys
from elasticsearch import Elasticsearch
client = Elasticsearch([sys.argv[1]], http_auth=("any", sys.argv[3]))
query = {"bool": {"must": [{"term": {"service.name": sys.argv[2]}}, {"query_string": {"query": "line AND NOT 1"}}]}}
found = client.search(index="logs-7", body={"query": query, "sort": [{"message.keyword": "asc"}]})
print(found["hits"]["total"], [hit["_source"]["message"] for hit in found["hits"]["hits"]])
"""


def _now() -> str:
    return datetime.now(UTC).isoformat()


def test_it_stores_documents_of_version_9(intake: IntakeLab) -> None:
    service = intake.unique("es9")
    documents = [
        {
            "_op_type": "create",
            "_index": "logs-app-default",
            "@timestamp": _now(),
            "message": f"line {at} password=hunter22",
            "log": {"level": "WARN", "logger": "shop.Orders", "origin": {"file": {"name": "a.py", "line": 7}}},
            "service.name": service,
            "host": {"name": "web-1", "os": {"type": "linux"}},
            "container": {"id": "c" * 64},
            "trace.id": "AB" * 16,
            "span": {"id": "cd" * 8},
            "kubernetes": {"pod": {"name": "shop-1"}, "namespace": "prod"},
            "order": at,
            "price": 1.5,
            "tags": ["a", "b"],
        }
        for at in range(50)
    ]
    with Elasticsearch(intake.url, http_compress=True) as client:
        assert client.info()["version"]["number"] == "8.19.0"
        assert helpers.bulk(client, documents) == (50, [])
    rows = intake.arrived(_ROWS, 50, s=service)
    row = rows[0]
    assert (row["message"], row["level"], row["component"], row["host"]) == (
        "line 0 password=***", "warning", "shop.Orders", "web-1",
    )  # fmt: skip
    assert (row["trace_id"], row["span_id"]) == ("ab" * 16, "cd" * 8)
    assert row["attributes"] == {
        "log.origin.file.name": "a.py",
        "log.origin.file.line": "7",
        "order": "0",
        "price": "1.5",
        "tags": '["a","b"]',
        "elasticsearch.index": "logs-app-default",
    }
    assert row["resource"]["k8s.pod.name"] == "shop-1"
    assert row["resource"]["k8s.namespace.name"] == "prod"
    [sender] = intake.arrived("SELECT * FROM senders WHERE name = {n:String}", n="c" * 64)
    assert (sender["kind"], sender["identities"]["host.name"]) == ("container", "web-1")


def test_it_answers_what_the_client_asks_before(intake: IntakeLab) -> None:
    with Elasticsearch(intake.url) as client:
        assert client.ping()
        assert client.cluster.health()["status"] == "green"
        assert client.license.get()["license"]["status"] == "active"
        assert client.indices.put_index_template(name="logs", index_patterns=["logs-*"])["acknowledged"]
        assert client.ilm.put_lifecycle(name="logs", policy={"phases": {}})["acknowledged"]
        assert client.ingest.put_pipeline(id="logs", processors=[])["acknowledged"]
        assert client.indices.create_data_stream(name="logs-x")["acknowledged"]
        assert client.cat.health()[0]["status"] == "green"
        [node] = client.nodes.info()["nodes"].values()
        assert node["http"]["publish_address"] == intake.url.removeprefix("http://")


def test_it_stores_and_finds_documents_of_version_7(intake: IntakeLab, tmp_path: Path) -> None:
    """The product check of 7.14 and later looks at the version and the header."""
    environment = tmp_path / "es7"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    install = [uv, "pip", "install", "-q", "--python", environment / "bin/python", "--require-hashes"]
    subprocess.run([*install, "-r", ROOT / "requirements/elasticsearch7.lock.txt"], check=True)
    service = intake.unique("es7")
    command = [environment / "bin/python", "-c", _V7, intake.url, service]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "8.19.0 (3, [])"
    rows = intake.arrived(_ROWS, 3, s=service)
    assert [row["message"] for row in rows] == ["line 0", "line 1", "line 2"]
    web = intake.instance
    command = [environment / "bin/python", "-c", _V7_READS, f"{web.url}/es", service, web.token]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{'value': 2, 'relation': 'eq'} ['line 0', 'line 2']"


_TEMPLATE = """
template(name="ecs" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host.name" name="hostname" format="jsonf")
  property(outname="service.name" name="programname" format="jsonf")
  property(outname="log.level" name="syslogseverity-text" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}
"""


def test_it_stores_lines_of_rsyslog(intake: IntakeLab) -> None:
    service = intake.unique("rs")
    port = intake.port("intake_http")
    action = (
        f'action(type="omelasticsearch" server="127.0.0.1" serverport="{port}" searchIndex="logs" bulkmode="on"'
        ' template="ecs" action.resumeRetryCount="-1")'
    )
    stamp = time.strftime("%b %e %H:%M:%S")
    with rsyslog(_TEMPLATE + action, 'module(load="omelasticsearch")') as own:
        write(own, *(f"<11>{stamp} web-7 {service}[12]: line {at}" for at in range(5)))
        rows = intake.arrived(_ROWS, 5, s=service)
    assert {(row["host"], row["level"]) for row in rows} == {("web-7", "error")}
    assert [row["message"].strip() for row in rows] == [f"line {at}" for at in range(5)]


def test_one_document_has_a_way_of_its_own(intake: IntakeLab) -> None:
    service = intake.unique("one")
    with Elasticsearch(intake.url) as client:
        answer = client.index(index="logs", document={"service": service, "msg": "hello", "severity": 3})
    assert answer["result"] == "created"
    [row] = intake.arrived(_ROWS, s=service)
    assert (row["message"], row["level"]) == ("hello", "error")


def test_the_answer_is_written_as_fluent_bit_wants_it(intake: IntakeLab) -> None:
    service = intake.unique("bit")
    body = b'{"create":{"_index":"a"}}\n' + orjson.dumps({"service": service, "log": "x"}) + b"\n"
    status, answer = intake.post("/_bulk", body, "application/x-ndjson")
    assert (status, answer[:25]) == (200, b'{"errors":false,"items":[')


def test_a_bad_document_costs_only_itself(intake: IntakeLab) -> None:
    service = intake.unique("bad")
    good = orjson.dumps({"service": service, "message": "good"})
    body = b"\n".join(
        [b'{"index":{"_id":"1"}}', good, b'{"index":{}}', b'{"message": "cut', b'{"delete":{"_id":"1"}}',
         b'{"update":{"_id":"1"}}', b"{}", b'{"create":{"_index":"other"}}', good, b""]
    )  # fmt: skip
    status, answer = intake.post("/mine/_bulk", body, "application/x-ndjson")
    found = orjson.loads(answer)
    assert (status, found["errors"]) == (200, True)
    assert [next(iter(item.values()))["status"] for item in found["items"]] == [201, 400, 400, 400, 201]
    rows = intake.arrived(_ROWS, 2, s=service)
    assert {row["attributes"]["elasticsearch.index"] for row in rows} == {"mine", "other"}


def test_documents_with_ids_count_once(intake: IntakeLab) -> None:
    service = intake.unique("ids")
    body = b'{"index":{"_index":"a","_id":"7"}}\n' + orjson.dumps({"service": service, "message": "x"}) + b"\n"
    for _ in range(3):
        assert intake.post("/_bulk", body)[0] == 200
    other = body.replace(b'"7"', b'"8"')
    assert intake.post("/_bulk", other)[0] == 200
    assert len(intake.arrived(_ROWS, 2, s=service)) == 2


def test_what_is_no_bulk_is_refused_in_elasticsearchs_way(intake: IntakeLab) -> None:
    status, answer = intake.post("/_bulk", b"hello\n{}\n")
    found = orjson.loads(answer)
    assert (status, found["status"], found["error"]["type"]) == (400, 400, "illegal_argument_exception")
    assert "Malformed action/metadata line [1]" in found["error"]["reason"]


@pytest.mark.parametrize(
    "document",
    [b'{"message":"x","n":1e400}', b'{"message":"\\u0000x","time":"1e999"}', b'{"a":' * 60 + b"1" + b"}" * 60,
     b'{"message":"\xff\xfe"}', b'{"message":{"a":1},"service":7,"log":[{}],"@timestamp":[1]}',
     b'{"":"","a..b":{"":{"":{"":1}}}}', b'{"@timestamp":"9999-99-99","message":null}'],
)  # fmt: skip
def test_strange_documents_are_kept(intake: IntakeLab, document: bytes) -> None:
    index = intake.unique("strange")
    status, answer = intake.post(f"/{index}/_bulk", b'{"create":{}}\n' + document + b"\n")
    assert (status, orjson.loads(answer)["errors"]) == (200, False)
    [row] = intake.arrived("SELECT * FROM logs WHERE attributes['elasticsearch.index'] = {i:String}", i=index)
    assert row["ts"][:4] == str(datetime.now(UTC).year)
