"""The product's client: one door, errors that a person can act on, and an engine that may move."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from django.conf import settings
from tests.telemetry.engines import Engine

from quarterdeck.core.errors import Conflict, Unavailable
from quarterdeck.telemetry import client, migrating

pytestmark = pytest.mark.slow


@pytest.fixture
def elsewhere(own_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The product's client, pointed at an engine of its own in another data directory."""
    client.forget()
    monkeypatch.setattr(settings, "DATA", own_engine.data)
    return own_engine


def test_without_an_engine_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "DATA", tmp_path)
    with pytest.raises(Unavailable, match="not running") as caught:
        client.query("SELECT 1")
    assert "quarterdeck" in caught.value.hint


def test_an_engine_that_stops_is_unavailable_and_found_again_when_it_moved(elsewhere: Engine) -> None:
    assert client.query("SELECT 1") == [(1,)]
    before = elsewhere.netloc
    elsewhere.stop()
    with pytest.raises(Unavailable):
        client.query("SELECT 1")
    elsewhere.start()
    assert elsewhere.netloc != before
    assert client.query("SELECT 1") == [(1,)]


def test_an_engine_that_moves_between_two_queries_is_not_noticed(elsewhere: Engine) -> None:
    client.query("SELECT 1")
    elsewhere.stop()
    elsewhere.start()
    assert client.query("SELECT 2") == [(2,)]


def test_a_url_points_the_same_client_elsewhere(own_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    client.forget()
    monkeypatch.setitem(settings.QD, "clickhouse_url", own_engine.url)
    try:
        assert client.query("SELECT count() FROM samples") == [(0,)]
        assert own_engine.ask("EXISTS TABLE samples").body == b"1\n"
    finally:
        client.forget()


def test_a_wrong_password_in_the_url_is_a_sentence(own_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    client.forget()
    monkeypatch.setitem(settings.QD, "clickhouse_url", f"http://quarterdeck:wrong@{own_engine.netloc}")
    with pytest.raises(Unavailable, match="refuses user or password"):
        client.query("SELECT 1")


def test_a_query_that_is_too_heavy_is_not_our_bug_but_a_wrong_one_is(telemetry: Engine) -> None:
    with pytest.raises(Unavailable, match="time"):
        client.query("SELECT sum(sipHash64(number)) FROM numbers(1000000000000)", options={"max_execution_time": 1})
    with pytest.raises(DatabaseError):
        client.query("SELECT nothing")


def test_many_threads_share_it(telemetry: Engine) -> None:
    def ask(number: int) -> bool:
        return client.query("SELECT {n:UInt32}", {"n": number}) == [(number,)]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(400)))


def test_two_processes_at_once_apply_the_schema_once(own_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = threading.Barrier(4)

    def apply(_: int) -> int:
        one = client._connect(own_engine.url)
        barrier.wait()
        try:
            return migrating.apply(one)
        finally:
            one.close()

    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(apply, range(4)))
    assert set(versions) == {migrating.steps()[-1].version}
    found = own_engine.ask("SELECT version, count() FROM schema_version GROUP BY version ORDER BY version").body
    assert found == b"".join(b"%d\t1\n" % step.version for step in migrating.steps())
    assert own_engine.ask("EXISTS TABLE schema_lock").body == b"0\n"


def test_a_later_file_is_applied_once_and_in_order(own_engine: Engine) -> None:
    one = client._connect(own_engine.url)
    migrating.apply(one)
    newest = migrating.steps()[-1].version
    later = [
        *migrating.steps(),
        migrating.Step(newest + 1, "more", ("ALTER TABLE samples ADD COLUMN IF NOT EXISTS x UInt8",)),
    ]
    assert migrating.apply(one, later) == newest + 1
    assert migrating.apply(one, later) == newest + 1
    found = own_engine.ask("SELECT groupArray(version) FROM (SELECT version FROM schema_version ORDER BY 1)").body
    assert found == f"[{','.join(str(step.version) for step in later)}]\n".encode()
    with pytest.raises(Conflict, match=f"version {newest + 1}, this Quarterdeck knows up to {newest}"):
        migrating.apply(one)
    one.close()


def test_a_lock_that_a_killed_process_left_is_broken(own_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "_LOCK_SECONDS", 1)
    own_engine.ask("CREATE TABLE schema_lock (x UInt8) ENGINE = Memory COMMENT '1700000000'")
    one = client._connect(own_engine.url)
    assert migrating.apply(one) == migrating.steps()[-1].version
    one.close()


def test_a_changed_retention_alters_the_tables(telemetry: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.QD, "metrics_retention_days", 3)
    assert migrating.apply_retention(client.client()) == ["samples"]
    assert migrating.apply_retention(client.client()) == []
    assert "toIntervalDay(3)" in client.query("SELECT engine_full FROM system.tables WHERE name = 'samples'")[0][0]
    monkeypatch.setitem(settings.QD, "metrics_1h_retention_days", 700)
    assert sorted(migrating.apply_retention(client.client())) == ["labels", "samples_1h", "series"]
    monkeypatch.undo()
    assert len(migrating.apply_retention(client.client())) == 4
