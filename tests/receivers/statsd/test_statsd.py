"""StatsD: by hand, by chance, and from the clients of StatsD and Datadog."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from datadog.dogstatsd.base import DogStatsd
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from statsd import StatsClient
from tests.lab.intake import IntakeLab
from tests.receivers.requests import NOW, fed, lines, peer, samples
from tests.receivers.statsd.fuzzing import fuzz_targets

from quarterdeck.telemetry.canonical import STALE_BITS
from quarterdeck.telemetry.receivers.statsd import PLUGIN
from quarterdeck.telemetry.receivers.statsd.aggregate import IDLE_SECONDS, Aggregate

HOST = ("host", "10.1.2.3")


def _send(aggregate: Aggregate, *datagrams: bytes) -> Counter[str]:
    refused: Counter[str] = Counter()
    for datagram in datagrams:
        for taken in fed(PLUGIN.listeners[0].open(peer(aggregate)), datagram):
            refused.update(taken.refused)
    return refused


def _flush(aggregate: Aggregate) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    flushed = aggregate.flush(NOW)
    return {name: values[0][1] for name, values in samples(flushed[0].frames).items()} if flushed else {}


def test_counters_grow_over_intervals_and_weigh_the_sample_rate() -> None:
    aggregate = Aggregate({})
    _send(aggregate, b"shop.orders:3|c\nshop.orders:1|c|@0.1", b"shop.orders:2|c")
    assert _flush(aggregate) == {("shop_orders_total", (HOST,)): 15}
    assert _flush(aggregate) == {("shop_orders_total", (HOST,)): 15}
    _send(aggregate, b"shop.orders:-4|c", b"shop.orders:1|c")
    assert _flush(aggregate) == {("shop_orders_total", (HOST,)): 16, ("shop_orders_decrements_total", (HOST,)): 4}


def test_gauges_are_set_and_moved() -> None:
    aggregate = Aggregate({})
    _send(aggregate, b"queue:10|g", b"queue:+5|g", b"queue:-3|g", b"cold:-2.5|g")
    assert _flush(aggregate) == {("queue", (HOST,)): 12, ("cold", (HOST,)): -2.5}
    _send(aggregate, b"queue:+1|g")
    assert _flush(aggregate)["queue", (HOST,)] == 13


def test_timers_become_seconds_with_quantiles_of_the_interval() -> None:
    aggregate = Aggregate({})
    _send(aggregate, *(b"checkout:%d|ms" % number for number in range(1, 101)))
    found = _flush(aggregate)
    assert found["checkout_seconds_count", (HOST,)] == 100
    assert found["checkout_seconds_sum", (HOST,)] == 5.05
    quantiles = {labels[1][1]: value for (name, labels), value in found.items() if name == "checkout_seconds"}
    assert quantiles == {"0.5": 0.05, "0.9": 0.09, "0.95": 0.095, "0.99": 0.099}
    assert set(_flush(aggregate)) == {("checkout_seconds_count", (HOST,)), ("checkout_seconds_sum", (HOST,))}


def test_quantiles_of_very_many_values_stay_near_the_truth() -> None:
    aggregate = Aggregate({})
    _send(aggregate, b"\n".join(b"size:%d|h" % number for number in range(20_000)))
    found = _flush(aggregate)
    assert found["size_count", (HOST,)] == 20_000
    assert found["size", (HOST, ("quantile", "0.9"))] == pytest.approx(18_000, rel=0.03)


def test_sets_count_different_members_of_the_interval() -> None:
    aggregate = Aggregate({})
    _send(aggregate, b"users:anna|s\nusers:bert|s\nusers:anna|s\nusers:a:b|s")
    assert _flush(aggregate) == {("users_unique", (HOST,)): 3}
    assert _flush(aggregate) == {("users_unique", (HOST,)): 0}


def test_tags_are_labels_and_name_the_host() -> None:
    aggregate = Aggregate({})
    _send(aggregate, "a:1|c|#region:华东,canary,url:http://x,empty:\na:2:3|h|@0.5|#host:web1|c:123|T17\n".encode())
    _send(aggregate, b"b;env=prod:1|c", b"c,env=prod,host=web2:1|g")
    labels = {name: dict(found) for name, found in _flush(aggregate)}
    assert labels["a_total"] == {"region": "华东", "canary": "true", "url": "http://x", "host": "10.1.2.3"}
    assert labels["a_count"] == {"host": "web1"}
    assert labels["b_total"] == {"env": "prod", "host": "10.1.2.3"}
    assert labels["c"] == {"env": "prod", "host": "web2"}
    assert {row[3]: (row[0], row[2]) for row in lines(aggregate.flush(NOW)[0].frames)}["c"] == (
        "host",
        {"host.name": "web2"},
    )


def test_packed_values_count_each() -> None:
    aggregate = Aggregate({})
    _send(aggregate, b"latency:1:2:3|d|@0.5")
    found = _flush(aggregate)
    assert (found["latency_count", (HOST,)], found["latency_sum", (HOST,)]) == (6, 12)


def test_a_series_that_gets_nothing_is_ended() -> None:
    aggregate = Aggregate({})
    _send(aggregate, b"a:1|c")
    later = NOW + timedelta(seconds=IDLE_SECONDS + 1)
    [row] = lines(aggregate.flush(later)[0].frames)
    assert row[7] == [STALE_BITS]
    assert aggregate.flush(later) == {}


def test_keys_are_kept_apart() -> None:
    aggregate = Aggregate({})
    for key in (0, 7):
        session = PLUGIN.listeners[0].open(replace(peer(aggregate), key=key))
        fed(session, b"a:1|c")
    assert sorted(aggregate.flush(NOW)) == [0, 7]


def test_it_counts_bad_lines_and_keeps_the_good_ones() -> None:
    aggregate = Aggregate({})
    bad = [
        b"a",
        b"a:1",
        b"a|c",
        b":1|c",
        b"a:|c",
        b"a:x|c",
        b"a:1|q",
        b"a:1|",
        b"a:nan|g",
        b"a:inf|ms",
        b"a:1e999|c",
        b"a:1e308|c",
        b"a:1|c|@1e-300",
        b"a:1|c|@0",
        b"a:1|c|@2",
        b"a:1|c|@x",
        b"a:1|c|@nan",
        b"...:1|c",
        b"a:1|c|#:x",
        b"\xff:1|c",
        b"a:|s",
        b"a:1_0|c",
        b"_e{5,4}:title|text",
        b"_sc|name|0",
        b"a" * 600 + b":1|c",
        b"a:1|c|#" + b",".join(b"t%d:1" % number for number in range(10_000)),
    ]
    refused = _send(aggregate, b"\n".join([*bad, b"good:1|c"]))
    assert refused.total() == len(bad)
    assert list(_flush(aggregate)) == [("good_total", (HOST,))]


@seed(8125)
@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=200) | st.text(alphabet="ab:|cgmshd@#+-1.,;=_e{\n", max_size=60).map(str.encode))
def test_it_takes_whatever_comes(data: bytes) -> None:
    fuzz_targets()["statsd"](data)


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_what_the_statsd_client_sends(intake: IntakeLab) -> None:
    prefix = intake.unique("statsd").replace("-", "_")
    client = StatsClient("127.0.0.1", intake.port("intake_statsd"), prefix=prefix)
    with client.pipeline() as pipeline:
        for _ in range(5):
            pipeline.incr("orders", 2)
        pipeline.timing("checkout", 250)
    client.gauge("queue", 10)
    client.gauge("queue", -4, delta=True)
    client.set("users", "anna")
    client.decr("orders", 3)
    client.close()
    host = socket.gethostname()
    [orders] = intake.series_arrived(f"{prefix}_orders_total", host=host)
    assert orders["values"][-1] == 10
    for name, value in (
        ("orders_decrements_total", 3),
        ("queue", 6),
        ("users_unique", 1),
        ("checkout_seconds_sum", 0.25),
    ):
        [row] = intake.series_arrived(f"{prefix}_{name}", host=host)
        assert row["values"][0] == value
    [median] = intake.series_arrived(f"{prefix}_checkout_seconds", quantile="0.5")
    assert median["values"] == [0.25]


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_what_the_datadog_client_sends(intake: IntakeLab) -> None:
    host = intake.unique("dog")
    client = DogStatsd(
        host="127.0.0.1", port=intake.port("intake_statsd"), constant_tags=[f"host:{host}"], disable_telemetry=True
    )
    with client:
        client.increment("qd.dog.orders", 4, tags=["region:华东"])
        client.distribution("qd.dog.size", 7)
        client.histogram("qd.dog.wait", 2)
        client.gauge("qd.dog.queue", 3)
    client.flush()
    client.close_socket()
    [orders] = intake.series_arrived("qd_dog_orders_total", host=host)
    assert (orders["labels"], orders["values"][0]) == ({"host": host, "region": "华东"}, 4)
    for name, value in (("size_sum", 7), ("wait_count", 1), ("queue", 3)):
        [row] = intake.series_arrived(f"qd_dog_{name}", host=host)
        assert row["values"][0] == value
    [sender] = intake.arrived("SELECT kind, identities FROM senders WHERE name = {h:String}", h=host)
    assert (sender["kind"], sender["identities"]) == ("host", {"host.name": host})
