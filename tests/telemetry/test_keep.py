"""Writing, keeping, dropping and bringing back."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core import clock
from quarterdeck.core.errors import BadInput, Conflict
from quarterdeck.inventory.models import Item
from quarterdeck.telemetry import actions, backup, client, parts, queries, rollups
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.samples import Sample, canonical, series_key

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

NOW = clock.now().replace(hour=12, minute=0, second=0, microsecond=0)


def _one(metric: str = "load", value: float = 1.0, at: datetime = NOW, item: int = 1, **labels: str) -> Sample:
    return Sample(metric, labels, item, at, value)


def _count(table: str) -> int:
    return int(client.query(f"SELECT count() FROM {table}")[0][0])


def _days(*ages: int) -> None:
    """Write 1,000 samples for each day, with values that do not compress away."""
    for age in ages:
        day = NOW - timedelta(days=age)
        write_samples([_one(value=math.sin(n) * 1e9, at=day + timedelta(seconds=n)) for n in range(1000)])


def test_samples_resent_with_their_token_are_stored_once(telemetry: Engine) -> None:
    rows = [_one(value=n, at=NOW + timedelta(seconds=n)) for n in range(100)]
    for _ in range(3):
        assert write_samples(rows, token="batch-1") == 100
        actions.forget_series()
    assert _count("samples") == 100
    write_samples(rows, token="batch-2")
    assert _count("samples") == 200


def test_the_same_values_with_another_token_are_not_taken_for_the_same(telemetry: Engine) -> None:
    write_samples([_one()])
    write_samples([_one()])
    assert _count("samples") == 2


def test_values_that_are_no_number_are_left_out(telemetry: Engine) -> None:
    assert write_samples([_one(value=math.nan), _one(value=math.inf), _one(value=-math.inf), _one()]) == 1
    assert write_samples([]) == 0
    assert _count("samples") == 1


def test_a_series_is_written_when_new_and_again_every_hour(telemetry: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    insert = client.insert
    monkeypatch.setattr(client, "insert", lambda table, *a, **k: (written.append(table), insert(table, *a, **k)))
    write_samples([_one(cpu="0")])
    write_samples([_one(cpu="0"), _one(cpu="0", value=2.0)])
    assert written == ["series", "labels", "samples", "samples"]
    write_samples([_one(cpu="1")])
    assert written[4:] == ["series", "labels", "samples"]
    monkeypatch.setattr(actions, "now", lambda: clock.now() + timedelta(hours=1))
    write_samples([_one(cpu="0")])
    assert written[7:] == ["series", "labels", "samples"]
    assert client.query("SELECT uniqExact(id) FROM series") == [(2,)]


def test_the_order_of_labels_and_empty_ones_make_no_other_series(telemetry: Engine) -> None:
    write_samples(
        [
            Sample("load", {"a": "1", "b": "2"}, 1, NOW, 1.0),
            Sample("load", {"b": "2", "a": "1", "c": ""}, 1, NOW, 2.0),
            Sample("load", {"a": "1", "b": "2"}, 2, NOW, 3.0),
        ]
    )
    assert client.query("SELECT uniqExact(id) FROM samples") == [(2,)]


def test_a_mapping_inside_the_engine_makes_the_same_id(telemetry: Engine) -> None:
    """Receivers will hash with SQL; the two ways have to agree."""
    sample = Sample("load", {"b": "2", "a": "é"}, 5, NOW, 1.0)
    write_samples([sample])
    sql = (
        "SELECT (sipHash64('load'), sipHash64(concat('5', arrayStringConcat(arrayMap("
        "(k, v) -> concat('\\x1e', k, '\\x1f', v), ['a', 'b'], ['é', '2'])))))"
    )
    assert client.query(sql) == client.query("SELECT id FROM samples")
    assert canonical(series_key(sample)) == "5\x1ea\x1fé\x1eb\x1f2"


def test_the_guard_drops_the_oldest_days_until_the_disk_is_below_its_limit(
    telemetry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _days(4, 3, 2, 1, 0)
    sizes = {part.id: part.bytes for part in parts.partitions() if part.table == "samples"}
    oldest = sorted(sizes)[:2]
    # A disk of 1 GB that is over 90 % by a little more than the oldest day.
    used = 900_000_000 + sizes[oldest[0]] + 1
    monkeypatch.setattr(parts, "disk", lambda: parts.Disk(1_000_000_000 - used, 1_000_000_000))
    assert [part.id for part in parts.guard()] == oldest
    left = {part.id for part in parts.partitions() if part.table == "samples"}
    assert left == set(sizes) - set(oldest)
    status = queries.engine_status()
    assert status.last_guard_action is not None
    assert status.last_guard_action.table == "samples"
    assert len(status.warnings) == 2
    assert "were dropped" in status.warnings[0]
    dropped = queries.latest(SYSTEM, [Item(pk=0)], ["quarterdeck_disk_guard_dropped_bytes"])
    assert dropped[0]["quarterdeck_disk_guard_dropped_bytes"][0].value == sizes[oldest[0]] + sizes[oldest[1]]


def test_the_guard_keeps_today_and_everything_on_a_disk_with_space(
    telemetry: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _days(1, 0)
    monkeypatch.setattr(parts, "disk", lambda: parts.Disk(500, 1000))
    assert parts.guard() == []
    assert queries.engine_status().warnings == []
    monkeypatch.setattr(parts, "disk", lambda: parts.Disk(0, 10**15))
    assert len(parts.guard()) == 1
    assert {part.newest.date() for part in parts.partitions()} == {NOW.date()}
    assert "no old telemetry is left" in queries.engine_status().warnings[1]


def test_the_disk_is_read_from_the_engine(telemetry: Engine) -> None:
    found = parts.disk()
    assert 0 < found.free_bytes < found.total_bytes
    assert 0 < found.used_percent < 100


def test_days_beyond_the_retention_are_dropped(telemetry: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _days(10, 5, 0)
    monkeypatch.setitem(settings.QD, "metrics_retention_days", 7)
    expired = parts.drop_expired()
    assert [part.newest.date() for part in expired] == [(NOW - timedelta(days=10)).date()]
    assert parts.drop_expired() == []
    assert _count("samples") == 2000


def test_rows_older_than_the_tables_term_do_not_stay(telemetry: Engine) -> None:
    write_samples([_one(at=NOW - timedelta(days=400))])
    client.command("OPTIMIZE TABLE samples FINAL")
    assert _count("samples") == 0


def test_the_status_tells_each_tables_size(telemetry: Engine) -> None:
    _days(0)
    tables = {table.name: table for table in queries.engine_status().tables}
    assert tables["samples"].rows == 1000
    assert tables["samples"].bytes > 0
    assert queries.engine_status().mode == "embedded"


def _content() -> list[object]:
    """Everything that a restore has to bring back, as figures."""
    return [
        client.query("SELECT count(), sum(sipHash64(id, timestamp, value)) FROM samples"),
        client.query(
            "SELECT item, metric_name, id, mapSort(labels), min(min_time) FROM series GROUP BY ALL ORDER BY id"
        ),
        client.query("SELECT name, value, metric_name, id FROM labels ORDER BY ALL"),
        client.query("SELECT id, timestamp, finalizeAggregation(last), sum, count, inc FROM samples_5m ORDER BY ALL"),
        client.query("SELECT target, max(done_until) FROM rollups GROUP BY target ORDER BY target"),
    ]


def _fill() -> None:
    for n in range(3):
        write_samples(
            [_one("x_total", float(k), NOW - timedelta(hours=2, seconds=10 * k), n, cpu="é") for k in range(500)]
        )
    rollups.roll_up()


def test_a_backup_brings_everything_back(telemetry: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "_CHUNK_BYTES", 4096)
    _fill()
    before = _content()
    rows = backup.dump(tmp_path / "dump")
    assert rows["samples"] == 1500
    assert len(list((tmp_path / "dump").glob("samples.*"))) > 3
    assert client.query("SHOW TABLES LIKE 'backup_%'") == []
    write_samples([_one("later")])
    other = Engine(tmp_path / "other").start()
    try:
        client.forget()
        monkeypatch.setattr(settings, "DATA", other.data)
        assert backup.load(tmp_path / "dump") == rows
        assert _content() == before
        # Restoring twice does not double anything.
        backup.load(tmp_path / "dump")
        assert _content() == before
    finally:
        client.forget()
        other.stop()


def test_a_backup_is_of_one_moment_while_rows_come_in(telemetry: Engine, tmp_path: Path) -> None:
    _fill()
    tables = backup._tables()
    with backup._clones(tables) as clones:
        write_samples([_one("later")])
        client.command("ALTER TABLE samples DROP PARTITION ID {id:String}", {"id": parts.partitions()[-1].id})
        assert len(backup._dump_table(tmp_path, "samples", clones["samples"])) >= 1
        assert client.query(f"SELECT count() FROM {clones['samples']}") == [(1500,)]


def test_a_dump_drops_what_a_killed_one_left_but_not_what_another_reads(telemetry: Engine, tmp_path: Path) -> None:
    client.command("CREATE TABLE backup_1700000000_abc_samples CLONE AS samples")
    with backup._clones(["samples"]) as clones:
        backup.dump(tmp_path)
        assert client.query("SHOW TABLES LIKE 'backup_%'") == [(clones["samples"],)]


def _damaged(directory: Path, kind: str) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    first = manifest["tables"]["samples"]["chunks"][0]
    if kind == "edited":
        (directory / first["file"]).write_bytes(b"x" + (directory / first["file"]).read_bytes()[1:])
    elif kind == "missing":
        (directory / first["file"]).unlink()
    elif kind == "outside":
        first["file"] = "../../../etc/passwd"
    elif kind == "no manifest":
        manifest = []
    elif kind == "unknown table":
        manifest["tables"] |= {"system.users": {"rows": 0, "chunks": []}, "samples": {"rows": 0, "chunks": []}}
    elif kind == "newer":
        manifest["schema"] = 9999
    (directory / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("kind", ["edited", "missing", "outside", "no manifest", "unknown table", "newer"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(telemetry: Engine, tmp_path: Path, kind: str) -> None:
    _fill()
    backup.dump(tmp_path)
    _damaged(tmp_path, kind)
    with pytest.raises((BadInput, Conflict)):
        backup.load(tmp_path)
    assert _count("samples") == 1500


def test_an_empty_directory_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no backup"):
        backup.load(tmp_path)


def test_times_are_aware_and_in_utc(telemetry: Engine) -> None:
    at = clock.now()
    write_samples([_one(at=at.astimezone(tz=None))])
    found = client.query("SELECT timestamp FROM samples")[0][0]
    assert found.utcoffset() == timedelta(0)
    assert abs(found - at.astimezone(UTC)) < timedelta(milliseconds=1)
