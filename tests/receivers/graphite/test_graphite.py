"""Graphite's lines: by hand, by chance, and from Debian's collectd."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests.lab.intake import IntakeLab
from tests.lab.parts import Server, directory, need
from tests.receivers.graphite.fuzzing import fuzz_targets
from tests.receivers.requests import NOW_MS, fed, peer, samples

from quarterdeck.telemetry.receivers.graphite import PLUGIN
from quarterdeck.telemetry.receiving import Refused


def test_it_reads_paths_tags_and_times() -> None:
    text = b"servers.web-1.load 1.5 1795694400\ndisk.used;host=db1;mount=/ 7 1795694400.5\nx 2\ny 3 -1\n"
    [taken] = fed(PLUGIN.listeners[0].open(peer()), text)
    found = samples(taken.frames)
    assert found["servers_web_1_load", (("host", "10.1.2.3"),)] == [(1795694400000, 1.5)]
    assert found["disk_used", (("host", "db1"), ("mount", "/"))] == [(1795694400500, 7)]
    assert found["x", (("host", "10.1.2.3"),)] == [(NOW_MS, 2)]
    assert found["y", (("host", "10.1.2.3"),)] == [(NOW_MS, 3)]


def test_it_joins_lines_that_come_in_pieces() -> None:
    found = fed(PLUGIN.listeners[0].open(peer()), b"a.b 1 17956", b"94400\na.c 2 1795694400\na.", b"d 3 1795694400")
    assert [len(samples(taken.frames)) for taken in found] == [2, 1]


def test_it_counts_bad_lines_and_keeps_the_good_ones() -> None:
    bad = [
        b"no_value",
        b"a b c d",
        b"a x 1",
        b"a nan 1795694400",
        b"a -inf 1795694400",
        b"a 1 -5",
        b"a 1 1e300",
        b"a 1 nan",
        b"... 1 1",
        b"a;b 1 1",
        b"a;=c 1 1",
        b"\xff\xfe 1 1",
        b"a" * 600 + b" 1 1",
        b"a" + b"".join(b";t%d=1" % number for number in range(10_000)) + b" 1 1",
    ]
    [taken] = fed(PLUGIN.listeners[0].open(peer()), b"\n".join([*bad[:-1], b"good 1 0", b""]))
    assert list(samples(taken.frames)) == [("good", (("host", "10.1.2.3"),))]
    assert sum(taken.refused.values()) == len(bad) - 1
    [taken] = fed(PLUGIN.listeners[0].open(peer()), bad[-1][:60_000] + b"\n")
    assert sum(taken.refused.values()) == 1


def test_it_closes_on_a_line_without_end() -> None:
    session = PLUGIN.listeners[0].open(peer())
    with pytest.raises(Refused):
        list(session.feed(b"a" * 70_000))


@seed(2003)
@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_it_takes_whatever_comes(data: bytes) -> None:
    fuzz_targets()["graphite"](data)


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_lines_over_tcp(intake: IntakeLab) -> None:
    name = intake.unique("graphite").replace("-", "_")
    now = int(time.time())
    with socket.create_connection(("127.0.0.1", intake.port("intake_graphite"))) as sender:
        sender.sendall(f"{name}.orders;region=华东 0.30000000000000004 {now - 1}\n{name}.bad nan {now}\n".encode())
        sender.sendall(f"{name}.orders;region=华东 -17 {now}\n".encode())
    [row] = intake.series_arrived(f"{name}_orders", region="华东")
    intake.arrived(
        "SELECT 1 FROM samples WHERE id IN (SELECT id FROM series WHERE metric_name = {m:String})",
        2,
        m=f"{name}_orders",
    )
    [row] = intake.series(f"{name}_orders", region="华东")
    assert row["values"] == [0.30000000000000004, -17]
    assert intake.series(f"{name}_bad") == []


_COLLECTD = """
Hostname "{host}"
FQDNLookup false
Interval 1
BaseDir "{home}"
PIDFile "{home}/pid"
PluginDir "/usr/lib/collectd"
TypesDB "/usr/share/collectd/types.db"
LoadPlugin load
LoadPlugin memory
{ours}
"""


@pytest.mark.slow
@pytest.mark.xdist_group("intake")
def test_it_takes_what_collectd_writes(intake: IntakeLab) -> None:
    need("collectd")
    host = intake.unique("collectd")
    [ours] = [client.text for client in PLUGIN.clients if client.title == "collectd.conf"]
    ours = ours.replace("{host}", "127.0.0.1").replace("{port}", str(intake.port("intake_graphite")))
    with directory() as home:
        config = Path(home, "collectd.conf")
        config.write_text(_COLLECTD.format(host=host, home=home, ours=ours))
        server = Server(["/usr/sbin/collectd", "-f", "-C", config], home / "log")
        try:
            [load] = intake.series_arrived("load_load_shortterm", host=host)
        finally:
            server.stop()
    assert 0 <= load["values"][0] < 1000
    memory = intake.series_arrived("memory_memory", host=host)
    assert {row["labels"]["type_instance"] for row in memory} >= {"used", "free"}
    [sender] = intake.arrived("SELECT kind, identities FROM senders WHERE name = {h:String}", h=host)
    assert (sender["kind"], sender["identities"]) == ("host", {"host.name": host})
