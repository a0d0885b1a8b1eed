"""InfluxDB's lines: by hand, by chance, and from the clients of both versions."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from influxdb import InfluxDBClient as ClientOfVersion1
from influxdb_client import InfluxDBClient, Point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from tests.lab.intake import IntakeLab
from tests.receivers.influxdb.fuzzing import fuzz_targets
from tests.receivers.requests import NOW_MS, request, samples, take

from quarterdeck.telemetry.receivers.influxdb import PLUGIN
from quarterdeck.telemetry.receiving import Answer, Refused, Taken

HOST = (("host", "web1"),)


def _write(body: str | bytes, path: str = "/write", **query: str) -> Taken:
    return take(PLUGIN, path, request(body if isinstance(body, bytes) else body.encode(), query=query))


def _answer(taken: Taken) -> Answer:
    assert taken.answer is not None
    return taken.answer


def test_it_names_metrics_by_measurement_and_field() -> None:
    taken = _write('cpu,host=web1 user=1.5,idle=98i,value=3u,up=t,down=F,text="a b" 1795694400000000001\n')
    found = samples(taken.frames)
    assert {name: values for (name, _labels), values in found.items()} == {
        "cpu_user": [(1795694400000, 1.5)],
        "cpu_idle": [(1795694400000, 98)],
        "cpu": [(1795694400000, 3)],
        "cpu_up": [(1795694400000, 1)],
        "cpu_down": [(1795694400000, 0)],
    }
    assert {labels for _name, labels in found} == {HOST}
    assert _answer(taken).status == 204


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        (r"m\,1,host=web1,a\ b=c\,d\=e\ f v=1", {"a_b": "c,d=e f"}),
        (r"m\ 1,host=web1,x=a\b v=1", {"x": r"a\b"}),
        ("m_1,host=web1,区=华东 v=1", {"区": "华东"}),
    ],
)
def test_it_undoes_escapes(line: str, labels: dict[str, str]) -> None:
    [(name, found)] = samples(_write(line).frames)
    assert name == "m_1_v"
    assert dict(found) == {"host": "web1", **labels}


def test_it_reads_over_a_line_end_in_a_string() -> None:
    taken = _write('m,host=web1 s="one\ntwo \\" three",v=1\n# a comment\n\nm,host=web1 w=2')
    assert [name for name, _labels in samples(taken.frames)] == ["m_v", "m_w"]
    assert not taken.refused


@pytest.mark.parametrize(
    ("precision", "time_sent"),
    [("ns", 1795694400123456789), ("u", 1795694400123456), ("ms", 1795694400123), ("s", 1795694400)],
)
def test_it_knows_the_precisions(precision: str, time_sent: int) -> None:
    [[(at, _value)]] = samples(_write(f"m,host=web1 v=1 {time_sent}", precision=precision).frames).values()
    assert at == (1795694400000 if precision == "s" else 1795694400123)


def test_it_takes_the_time_of_arrival_and_the_peer_where_nothing_is_said() -> None:
    [((_name, labels), [(at, _value)])] = samples(_write("m v=1", db="telegraf").frames).items()
    assert (at, dict(labels)) == (NOW_MS, {"host": "10.1.2.3", "db": "telegraf"})


def test_it_keeps_good_lines_and_says_what_is_wrong_with_the_others() -> None:
    taken = _write("good,host=web1 v=1 1795694400000000000\nbad v=abc\nworse\nbetter,host=web1 v=2 0")
    assert [name for name, _labels in samples(taken.frames)] == ["good_v", "better_v"]
    assert _answer(taken).status == 400
    assert json.loads(_answer(taken).body) == {
        "error": "partial write: unable to parse 'bad v=abc': invalid number dropped=2"
    }
    assert taken.refused == {"malformed": 2}


@pytest.mark.parametrize(
    "line",
    [
        "m", "m,", "m, v=1", "m,a v=1", "m,a= v=1", "m,=b v=1", "m v", "m v=", "m =1", "m v=1,", "m v=1 x", "m v=1 1 1",
        "m v=nan", "m v=inf", "m v=1e999", "m v=9223372036854775808i", "m v=-1u", "m v=1x", 'm v="open', ",a=b v=1",
        "m v=1 -5", "m v=1 99999999999999999999", "... value=1", "m,a=" + "x" * 5000 + " v=1", "m" * 600 + " v=1",
        "m" + "".join(f",t{number}=1" for number in range(10_000)) + " v=1", "m v=0x10", "m v=1_000",
    ],
)  # fmt: skip
def test_it_refuses_bad_lines(line: str) -> None:
    taken = _write(line)
    assert taken.frames == []
    assert _answer(taken).status == 400
    assert taken.refused == {"malformed": 1}


def test_it_refuses_what_is_no_text_and_unknown_precisions() -> None:
    for body, query in ((b"m v=1 \xff", {}), (b"m v=1", {"precision": "weeks"})):
        with pytest.raises(Refused):
            _write(body, **query)


def test_it_answers_what_clients_ask_first() -> None:
    ping = _answer(take(PLUGIN, "/ping", request(method="GET")))
    assert (ping.status, ping.headers["X-Influxdb-Version"]) == (204, "1.8.10")
    assert _answer(take(PLUGIN, "/query", request(b"q=CREATE+DATABASE+telegraf"))).status == 200
    with pytest.raises(Refused):
        take(PLUGIN, "/query", request(query={"q": "SELECT * FROM cpu"}))


def test_it_takes_no_longer_for_text_made_to_be_slow() -> None:
    started = time.monotonic()
    for text in (
        "m" + ",a=b" * 50_000,
        "m v=" + '"' + "\\" * 200_001,
        "m " + "a=1," * 50_000,
        "\\" * 200_000,
        "," * 200_000,
    ):
        _write(text)
    assert time.monotonic() - started < 5


@seed(8086)
@settings(max_examples=150, deadline=None, database=None)
@given(st.binary(max_size=200) | st.text(alphabet='mv=,"\\ \n1i.t#', max_size=60).map(str.encode))
def test_it_takes_whatever_comes(data: bytes) -> None:
    for target in fuzz_targets().values():
        target(data)


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_points_of_version_1(intake: IntakeLab) -> None:
    host = intake.unique("influx1")
    client = ClientOfVersion1("127.0.0.1", intake.port("intake_http"), database="lab")
    assert client.ping() == "1.8.10"
    client.create_database("lab")
    fields = {"user": 1.25, "procs": 7, "ok": True, "note": 'a "quoted" word'}
    assert client.write_points([{"measurement": "in1", "tags": {"host": host, "区": "a b,c"}, "fields": fields}])
    client.close()
    [user] = intake.series_arrived("in1_user", host=host)
    assert user["labels"] == {"host": host, "db": "lab", "区": "a b,c"}
    assert user["values"] == [1.25]
    assert intake.series("in1_procs", host=host)[0]["values"] == [7]
    assert intake.series("in1_ok", host=host)[0]["values"] == [1]
    assert intake.series("in1_note", host=host) == []
    [sender] = intake.arrived("SELECT kind, identities FROM senders WHERE name = {h:String}", h=host)
    assert (sender["kind"], sender["identities"]) == ("host", {"host.name": host})


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_points_of_version_2(intake: IntakeLab) -> None:
    host = intake.unique("influx2")
    port = intake.port("intake_influx")
    with InfluxDBClient(f"http://127.0.0.1:{port}", token="", org="-", enable_gzip=True) as client:
        assert client.ping()
        writer = client.write_api(write_options=SYNCHRONOUS)
        writer.write("-", "-", [Point("in2").tag("host", host).field("v", number) for number in (1, 2)][:1])
        writer.write("-", "-", Point("in2").tag("host", host).field("w", -0.5))
        with pytest.raises(ApiException) as found:
            writer.write("-", "-", f"in2,host={host} x=1\nbad")
        assert found.value.status == 400
        assert found.value.message == "unable to parse 'bad': missing fields"
    for field, value in (("v", 1), ("w", -0.5), ("x", 1)):
        [row] = intake.series_arrived(f"in2_{field}", host=host)
        assert row["values"] == [value]
