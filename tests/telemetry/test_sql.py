"""A person's SELECT computes and reads the telemetry, and reaches nothing else, whatever it is written like."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, BadQuery, Denied, OpsError, Unavailable
from quarterdeck.telemetry.actions import write_samples
from quarterdeck.telemetry.samples import Sample
from quarterdeck.telemetry.sql import run_sql

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
SECRET = "the-secret-of-the-file"

ALLOWED = [
    "SELECT count() FROM spans",
    "FROM spans SELECT count()",
    "SELECT count() FROM default.spans;",
    "(SELECT 1 AS a) UNION ALL (SELECT 2)",
    "WITH t AS (SELECT number AS n FROM numbers(9)) SELECT sum(n), sumIf(n, n > 3), quantilesTDigest(0.5)(n) FROM t",
    "SELECT level, count() FROM logs WHERE ts > now() - INTERVAL 1 DAY AND hasToken(message, 'x') GROUP BY level",
    "SELECT metric_name, labels['a'], value FROM samples INNER JOIN series USING (id) LIMIT 5",
    "SELECT service, count() OVER w FROM spans WINDOW w AS (PARTITION BY service ORDER BY ts)",
    "SELECT CASE number WHEN 1 THEN 'a' END, date_trunc('hour', now()), number::String FROM numbers(2)",
    "SELECT arrayMap(x -> x + 1, [1, 2]), mapKeys(map('a', 1)), JSONExtractString('{\"a\":\"b\"}', 'a')",
    "SELECT service FROM spans WHERE service IN (SELECT service FROM logs) ORDER BY service LIMIT 1 BY service",
    "SELECT /* remark */ 1 -- end",
    "SELECT * EXCEPT (value) FROM samples LIMIT 1",
]
# `{file}` is a file of the machine with SECRET in it.
REFUSED = [
    "SELECT file('{file}')",
    "SELECT `file`('{file}')",
    "SELECT FILE('{file}')",
    "SELECT * FROM file('{file}', 'LineAsString')",
    "SELECT * FROM '{file}'",
    'SELECT * FROM "{file}"',
    "SELECT * FROM `{file}`",
    "SELECT 'x' IN `{file}`",
    "SELECT 'x' NOT IN `{file}`",
    "SELECT * FROM spans WHERE service GLOBAL IN `{file}`",
    "SELECT * FROM spans AS s JOIN `{file}` AS f ON 1",
    "WITH t AS (SELECT * FROM file('{file}')) SELECT * FROM t",
    "WITH (SELECT file('{file}')) AS x SELECT x",
    "SELECT (SELECT c1 FROM `{file}`)",
    "SELECT * APPLY(file) FROM (SELECT '{file}' AS x)",
    "SELECT * APPLY(x -> file(x)) FROM (SELECT '{file}' AS x)",
    "SELECT arrayMap(file, ['{file}'])",
    "SELECT arrayMap(x -> file(x), ['{file}'])",
    "SELECT count() OVER (ORDER BY file('{file}'))",
    "SELECT count() OVER (ROWS BETWEEN length(file('{file}')) PRECEDING AND CURRENT ROW)",
    "SELECT 1 LIMIT length(file('{file}'))",
    "SELECT * REPLACE(file('{file}') AS dummy) FROM (SELECT 1 AS dummy)",
    "SELECT 1 UNION ALL SELECT length(file('{file}'))",
    "SELECT * FROM fileCluster('default', '{file}')",
    "SELECT * FROM filesystem('/etc')",
    "SELECT * FROM sqlite('{file}', 't')",
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM urlCluster('default', 'http://127.0.0.1:1/')",
    "SELECT * FROM s3('http://127.0.0.1:1/x')",
    "SELECT * FROM gcs('http://127.0.0.1:1/x')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/x')",
    "SELECT * FROM azureBlobStorage('x')",
    "SELECT * FROM deltaLakeLocal('/tmp')",
    "SELECT * FROM icebergLocal('/tmp')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM clusterAllReplicas('default', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'd', 't', 'u', 'p', 'x Int8')",
    "SELECT * FROM redis('127.0.0.1:1', 'k', 'k String')",
    "SELECT * FROM odbc('x', 'y', 'z')",
    "SELECT * FROM jdbc('x', 'y', 'z')",
    "SELECT * FROM executable('cat', 'TSV', 'a String')",
    "SELECT * FROM python('os')",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM loop(system.one)",
    "SELECT * FROM view(SELECT * FROM system.one)",
    "SELECT * FROM dictionary('x')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
    "SELECT * FROM (EXPLAIN SELECT 1)",
    "SELECT * FROM mergeTreeIndex('default', 'spans')",
    "SELECT * FROM system.tables",
    "SELECT * FROM system.settings",
    "SELECT * FROM system.query_log",
    "SELECT * FROM information_schema.tables",
    "SELECT 'x' IN system.users",
    "SELECT dictGet('d', 'a', 1)",
    "SELECT joinGet('t', 'a', 1)",
    "SELECT hasColumnInTable('127.0.0.1', 'u', 'p', 'd', 't', 'c')",
    "SELECT getSetting('max_threads')",
    "SELECT getServerSetting('max_threads')",
    "SELECT getMacro('x')",
    "SELECT hostName()",
    "SELECT currentUser()",
    "SELECT @@version",
    "SELECT sleep(3)",
    "SELECT sleepEachRow(1)",
    "SELECT throwIf(1)",
    "SELECT aiGenerate('x')",
    "SELECT addressToLine(1)",
    "SELECT evalMLMethod(1)",
    "SELECT showCertificate()",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT * FROM (SELECT 1 SETTINGS max_execution_time = 0)",
    "SELECT 1 FORMAT JSON",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SELECT 1 INTO OUTFILE '{out}' FORMAT CSV",
    "SELECT 1) INTO OUTFILE '{out}' --",
    "SELECT 1) INTO OUTFILE '{out}' /*",
    "SELECT 1 AS `a\n) INTO OUTFILE '{out}'",
    "SELECT 1; DROP TABLE spans",
    "SELECT 1 PARALLEL WITH SELECT 2",
    "INSERT INTO spans SELECT * FROM spans",
    "INSERT INTO FUNCTION file('{out}') SELECT 1",
    "CREATE TABLE x (a Int8) ENGINE = Memory",
    "DROP TABLE spans",
    "TRUNCATE TABLE spans",
    "ALTER TABLE spans DELETE WHERE 1",
    "ATTACH TABLE x FROM '{file}' (a Int8) ENGINE = MergeTree ORDER BY a",
    "BACKUP TABLE spans TO File('{out}')",
    "SYSTEM SHUTDOWN",
    "SET readonly = 0",
    "USE system",
    "SHOW TABLES",
    "DESCRIBE TABLE file('{file}')",
    "EXPLAIN SELECT 1",
    "KILL QUERY WHERE 1",
    "SELECT {x:String}",
    "SELECT * FROM {x:Identifier}",
    "",
    "SELECT",
    "--",
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    path = tmp_path / "leak.csv"
    path.write_text(f"c1\n{SECRET}\n")
    return {"file": str(path), "out": str(tmp_path / "out.csv")}


def filled(statement: str, files: dict[str, str]) -> str:
    for name, path in files.items():
        statement = statement.replace(f"{{{name}}}", path)
    return statement


@pytest.mark.parametrize("statement", ALLOWED)
def test_it_computes_and_reads(telemetry: Engine, statement: str) -> None:
    assert run_sql(SYSTEM, statement).columns


@pytest.mark.parametrize("statement", REFUSED)
def test_it_reaches_nothing_else(telemetry: Engine, files: dict[str, str], statement: str) -> None:
    with pytest.raises(OpsError) as caught:
        run_sql(SYSTEM, filled(statement, files))
    assert isinstance(caught.value, BadInput)
    assert SECRET not in str(caught.value)
    assert not Path(files["out"]).exists()


def test_a_name_that_no_table_has_is_no_file_of_the_engines_directory(telemetry: Engine) -> None:
    """The embedded engine would read `passwd` beside it: there is nothing beside it but its own cache."""
    beside = Path(settings.DATA) / "run" / "engine-cwd"
    assert {path.name for path in beside.iterdir()} <= {"__cache__"}
    with pytest.raises(BadQuery):
        run_sql(SYSTEM, "SELECT * FROM passwd")


def test_every_function_that_is_allowed_only_computes(telemetry: Engine) -> None:
    """What the engine has beyond computing, by the names that its documentation gives them."""
    from quarterdeck.telemetry import client
    from quarterdeck.telemetry.sql import _guard

    guard = _guard()
    words = ("file", "url(", "dict", "joinGet", "remote", "sleep", "setting", "macro", "hostname", "address", "user")
    rows = [str(row[0]) for row in client.query("SELECT name FROM system.functions")]
    suspects = [name for name in rows if any(word.strip("(") in name.lower() for word in words)]
    allowed = []
    for name in suspects:
        try:
            guard._check_function(name)
        except BadQuery:
            continue
        allowed.append(name)
    harmless = ("URL", "url", "IPAddress", "Predict")
    assert [name for name in allowed if not any(word in name for word in harmless)] == []


def test_ids_are_hex_bytes_are_escaped_and_numbers_whole(telemetry: Engine) -> None:
    answer = run_sql(
        SYSTEM,
        "SELECT unhex('fe01') AS s, toFixedString(unhex('fe01'), 2) AS f, map('a', toFixedString('xy', 2)) AS m,"
        " [(1, toFixedString('xy', 2))] AS a, 18446744073709551615 AS u, nan AS n, '中' AS c, 1 AS x,"
        " toDateTime64('2026-01-02 03:04:05.123456789', 9, 'UTC') AS t",
    )
    assert answer.rows == [
        {
            "s": "\\xfe\x01",
            "f": "fe01",
            "m": {"a": "7879"},
            "a": [[1, "7879"]],
            "u": 2**64 - 1,
            "n": None,
            "c": "中",
            "x": 1,
            "t": "2026-01-02T03:04:05.123456789Z",
        }
    ]


def test_copies_that_are_not_merged_yet_count_once(telemetry: Engine) -> None:
    sample = Sample("copies", {}, 1, datetime.now(UTC), 1.0)
    for token in ("one", "two"):
        write_samples([sample], token=token)
    assert run_sql(SYSTEM, "SELECT count() AS n FROM samples").rows == [{"n": 1}]


def test_there_are_limits(telemetry: Engine) -> None:
    cut = run_sql(SYSTEM, "SELECT number FROM numbers(1000000000000)", limit=5)
    assert (len(cut.rows), cut.is_cut) == (5, True)
    assert run_sql(SYSTEM, "SELECT number FROM numbers(5)", limit=5).is_cut is False
    with pytest.raises(Unavailable):
        run_sql(SYSTEM, "SELECT groupArray(number) FROM numbers(1000000000)")
    for limit in (0, 100_001):
        with pytest.raises(BadInput):
            run_sql(SYSTEM, "SELECT 1", limit=limit)


def test_only_who_has_the_right_may_and_what_was_asked_is_audited(
    telemetry: Engine, owner: Actor, teammate: Actor
) -> None:
    run_sql(owner, "SELECT 42")
    event = AuditEvent.objects.get(verb="telemetry.sql", result="ok")
    assert (event.actor_name, event.detail) == ("owner", "SELECT 42")
    with pytest.raises(Denied):
        run_sql(teammate, "SELECT 42")
    with pytest.raises(BadQuery):
        run_sql(owner, "SELECT file('/etc/passwd')")
    assert AuditEvent.objects.filter(verb="telemetry.sql", result="error").count() == 1


def test_a_typing_mistake_gets_the_near_name(telemetry: Engine) -> None:
    with pytest.raises(BadQuery, match='did you mean "count"'):
        run_sql(SYSTEM, "SELECT cont() FROM spans")
    with pytest.raises(BadQuery, match='"logs"'):
        run_sql(SYSTEM, "SELECT * FROM default.lgos")
