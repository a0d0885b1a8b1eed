"""The engine process over plain HTTP, as any ClickHouse client would use it."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import clickhouse_connect
import lz4.frame
import psutil
import pytest
from backports import zstd
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from tests.telemetry.engines import Engine

from quarterdeck.core.processes import run_file

pytestmark = pytest.mark.slow


@pytest.fixture
def table(engine: Engine) -> Iterator[str]:
    engine.ask("DROP TABLE IF EXISTS things")
    engine.ask(
        "CREATE TABLE things (a UInt64, b String) ENGINE = MergeTree ORDER BY a"
        " SETTINGS non_replicated_deduplication_window = 100"
    )
    yield "things"
    engine.ask("DROP TABLE IF EXISTS things")


def test_parallel_queries_keep_their_own_parameters(engine: Engine) -> None:
    def mixed_up(worker: int) -> int:
        wanted = [f"{worker}-{number}" for number in range(100)]
        found = [engine.ask("SELECT {value:String}", param_value=text).body.decode().strip() for text in wanted]
        return sum(one != other for one, other in zip(wanted, found, strict=True))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(mixed_up, range(8))) == 0


def test_settings_of_one_request_do_not_reach_the_next(engine: Engine) -> None:
    assert engine.ask("SELECT getSetting('max_block_size')", max_block_size="77").body == b"77\n"
    assert engine.ask("SELECT getSetting('max_block_size')").body != b"77\n"


def test_a_temporary_table_does_not_outlive_its_request(engine: Engine) -> None:
    assert engine.ask("CREATE TEMPORARY TABLE passing (a UInt8)").status == 200
    assert engine.ask("SELECT * FROM passing").code == 60


def test_ping_and_health_need_no_password(engine: Engine) -> None:
    assert engine.ask(method="GET", path="/ping", headers={}).body == b"Ok.\n"
    assert json.loads(engine.ask(method="GET", path="/healthz", headers={}).body)["status"] == "ok"
    assert json.loads(engine.ask(method="GET", path="/readyz", headers={}).body)["status"] == "ready"


def _basic(text: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(text.encode()).decode()}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        _basic("quarterdeck:wrong"),
        _basic("somebody:{password}"),
        {"Authorization": "Basic %%%"},
        {"X-ClickHouse-User": "quarterdeck", "X-ClickHouse-Key": "wrong"},
    ],
)
def test_it_refuses_a_wrong_password(engine: Engine, headers: dict[str, str]) -> None:
    answer = engine.ask("SELECT 1", headers=headers)
    assert (answer.status, answer.code) == (403, 516)
    assert b"Authentication failed" in answer.body
    assert engine.password.encode() not in answer.body


def test_it_accepts_the_password_in_each_of_the_three_ways(engine: Engine) -> None:
    by_headers = {"X-ClickHouse-User": "quarterdeck", "X-ClickHouse-Key": engine.password}
    assert engine.ask("SELECT 1", headers=by_headers).body == b"1\n"
    assert engine.ask("SELECT 1", headers={}, user="quarterdeck", password=engine.password).body == b"1\n"
    assert engine.ask("SELECT 1").body == b"1\n"


@pytest.mark.parametrize(
    ("sql", "status", "code"),
    [
        ("SELEC 1", 400, 62),
        ("SELECT nothing", 400, 47),
        ("SELECT * FROM nowhere", 404, 60),
        ("INSERT INTO nowhere FORMAT JSONEachRow {}", 404, 60),
        ("SELECT {missing:String}", 400, 456),
        ("SELECT 'open", 400, 62),
        ("", 400, 62),
        (" ;\n", 400, 62),
        ("SELECT 1; SELECT 2", 400, 62),
        ("SELECT 1; -- a ; in a comment\n DROP TABLE things", 400, 62),
        ("SELECT throwIf(1)", 500, 395),
        (b"\xff\xfe\x00", 400, 62),
    ],
)
def test_it_answers_a_malformed_statement(engine: Engine, sql: str | bytes, status: int, code: int) -> None:
    answer = engine.ask(sql)
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.body.startswith(f"Code: {code}. DB::Exception".encode())
    assert engine.ask("SELECT 1").body == b"1\n"


@pytest.mark.parametrize("sql", ["SELECT ';'", "SELECT 1;", "SELECT 1 -- ;\n", "SELECT `a;b` FROM (SELECT 1 AS `a;b`)"])
def test_a_semicolon_that_ends_nothing_is_no_second_statement(engine: Engine, sql: str) -> None:
    assert engine.ask(sql).status == 200


def test_it_refuses_what_it_does_not_support(engine: Engine) -> None:
    for options in ({"compress": "1"}, {"decompress": "1"}):
        assert engine.ask("SELECT 1", **options).status == 501
    assert engine.ask("SELECT 1", nonsense_setting="1").code == 115
    assert engine.ask("SELECT 1", **{"max_threads = 1, x": "1"}).code == 36
    assert engine.ask("SELECT 1", method="PUT").code == 36
    assert engine.ask("SELECT 1", path="/elsewhere").status == 404


def test_a_query_gets_more_than_one_core(engine: Engine) -> None:
    """With the engine's own idea of how much memory a thread needs, none would."""
    pipeline = engine.ask("EXPLAIN PIPELINE SELECT sum(number) FROM numbers_mt(10000000)").body.decode()
    [threads] = re.findall(r"AggregatingTransform × (\d+)", pipeline)
    assert int(threads) >= 2


def test_a_query_by_get_may_not_write(engine: Engine, table: str) -> None:
    assert engine.ask(method="GET", query="SELECT 1").body == b"1\n"
    assert engine.ask(method="GET", query=f"DROP TABLE {table}").code == 164
    assert engine.ask(f"EXISTS TABLE {table}").body == b"1\n"


def test_a_query_id_cannot_add_headers(engine: Engine) -> None:
    answer = engine.ask("SELECT 1", query_id="x\r\nSet-Cookie: a=b")
    assert answer.status == 200
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress), ("lz4", lz4.frame.compress)]
)
def test_it_reads_compressed_inserts(engine: Engine, table: str, encoding: str, compress) -> None:  # type: ignore[no-untyped-def]
    head = {**_basic(f"quarterdeck:{engine.password}"), "Content-Encoding": encoding}
    rows = b"".join(b'{"a": %d, "b": "x"}\n' % number for number in range(100_000))
    # Two frames behind one another are what a client sends that compresses block by block.
    frames = 1 if encoding == "gzip" else 2
    body = compress(f"INSERT INTO {table} FORMAT JSONEachRow\n".encode() + rows)
    body += compress(rows) if frames == 2 else b""
    assert engine.ask(body, headers=head).status == 200
    assert engine.ask(f"SELECT count() FROM {table}").body == b"%d\n" % (100_000 * frames)


def test_it_refuses_a_body_that_is_not_what_its_encoding_says(engine: Engine, table: str) -> None:
    basic = _basic(f"quarterdeck:{engine.password}")
    assert engine.ask(b"SELECT 1", headers={**basic, "Content-Encoding": "gzip"}).code == 36
    cut = gzip.compress(b"SELECT 1" * 100)[:-10]
    assert engine.ask(cut, headers={**basic, "Content-Encoding": "gzip"}).code == 36
    assert engine.ask(b"SELECT 1", headers={**basic, "Content-Encoding": "br"}).status == 501


@pytest.mark.parametrize(
    ("statement", "data", "count"),
    [
        ("INSERT INTO things FORMAT CSV\n", b"1,x\n2,y\n", 2),
        ("INSERT INTO things (a, b) SETTINGS max_threads = 1 FORMAT TSV\n", b"1\tFORMAT\n", 1),
        ("INSERT INTO things VALUES", b" (1, 'FORMAT CSV'), (2, 'SELECT')", 2),
        ("INSERT INTO things SELECT number, 'x' FROM numbers(3)", b"", 3),
        ("INSERT INTO things SELECT n + 1, upper(t) FROM input('n UInt64, t String') FORMAT CSV\n", b"1,x\n", 1),
        ("/* FORMAT */ INSERT INTO `things` -- VALUES\n (a) FORMAT JSONEachRow ", b'{"a": 1}', 1),
    ],
)
def test_it_tells_a_statement_from_its_data(
    engine: Engine, table: str, statement: str, data: bytes, count: int
) -> None:
    # Without deduplication, which would take the second round for a resent first one.
    engine.ask(f"ALTER TABLE {table} MODIFY SETTING non_replicated_deduplication_window = 0")
    assert engine.ask(statement.encode() + data).status == 200
    assert engine.ask(f"SELECT count() FROM {table}").body == b"%d\n" % count
    if data:
        assert engine.ask(data, query=statement).status == 200
        assert engine.ask(f"SELECT count() FROM {table}").body == b"%d\n" % (2 * count)


def test_a_bad_row_leaves_nothing_of_its_insert(engine: Engine, table: str) -> None:
    rows = b'{"a": 1, "b": "x"}\n' * 1000 + b'{"a": "no number"}\n'
    answer = engine.ask(f"INSERT INTO {table} FORMAT JSONEachRow\n".encode() + rows)
    assert (answer.status, answer.code) == (400, 27)
    assert engine.ask(f"SELECT count() FROM {table}").body == b"0\n"


def test_the_same_token_is_stored_once(engine: Engine, table: str) -> None:
    for token in ("one", "one", "two"):
        sql = f"INSERT INTO {table} FORMAT CSV\n1,x\n2,y\n"
        assert engine.ask(sql, insert_deduplication_token=token).status == 200
    assert engine.ask(f"SELECT count() FROM {table}").body == b"4\n"


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_the_official_client_works_unchanged(engine: Engine, table: str, compress: bool | str) -> None:
    client = clickhouse_connect.get_client(dsn=engine.url, compress=compress)
    client.insert(table, [[1, 2], ["x", "y"]], column_names=["a", "b"], column_oriented=True)
    assert client.query(f"SELECT a, b FROM {table} WHERE b = {{b:String}}", {"b": "y"}).result_rows == [(2, "y")]
    assert client.query(f"SELECT * FROM {table} LIMIT 0").column_names == ("a", "b")
    assert client.command(f"SELECT count() FROM {table}") == 2
    with client.query_row_block_stream("SELECT number FROM numbers(300000)") as blocks:
        assert sum(len(block) for block in blocks) == 300_000
    # Longer than a URL may be: the client sends such a parameter as a form.
    assert client.query("SELECT length({text:String})", {"text": "x" * 200_000}).result_rows == [(200_000,)]
    with pytest.raises(DatabaseError, match="UNKNOWN_IDENTIFIER"):
        client.query("SELECT nothing")
    client.close()


def test_an_answer_that_fails_on_the_way_is_no_complete_answer(engine: Engine) -> None:
    client = clickhouse_connect.get_client(dsn=engine.url)
    with (
        pytest.raises(StreamFailureError, match="throwIf"),
        client.query_row_block_stream("SELECT throwIf(number = 900000) FROM numbers(1000000)") as blocks,
    ):
        for _ in blocks:
            pass
    client.close()


def test_small_limits_hold(tmp_path: Path) -> None:
    engine = Engine(tmp_path, {"body_max_mb": 1, "query_seconds": 1, "memory_mb": 128, "answer_max_mb": 1}).start()
    try:
        assert engine.ask(b"SELECT 1 --" + b"x" * (2 << 20)).status == 413
        bomb = {**_basic(f"quarterdeck:{engine.password}"), "Content-Encoding": "gzip"}
        assert engine.ask(gzip.compress(b" " * (64 << 20)), headers=bomb).status == 413
        assert engine.ask("SELECT sum(sipHash64(number)) FROM numbers(100000000000)").code == 159
        heavy = "SELECT groupArray(toString(number)) FROM numbers(50000000)"
        assert engine.ask(heavy).code in (241, 159)
        assert engine.ask("SELECT number FROM numbers(1000000)", wait_end_of_query="1").status == 413
        assert engine.ask("SELECT 1").body == b"1\n"
    finally:
        assert engine.stop() == 0


def test_a_second_engine_on_the_directory_says_so_and_exits(engine: Engine) -> None:
    second = Engine(engine.data).launch()
    _, errors = second.communicate(timeout=30)
    assert second.returncode != 0
    assert b"another engine" in errors
    assert b"Traceback" not in errors
    assert engine.ask("SELECT 1").body == b"1\n"


def test_an_address_in_use_is_a_sentence(engine: Engine, tmp_path: Path) -> None:
    second = Engine(tmp_path, address=engine.netloc).launch()
    _, errors = second.communicate(timeout=30)
    assert second.returncode != 0
    assert b"cannot listen" in errors
    assert b"Traceback" not in errors


def test_it_stops_cleanly_and_takes_its_run_file_along(own_engine: Engine) -> None:
    own_engine.ask("CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a")
    own_engine.ask("INSERT INTO kept VALUES (1)")
    assert own_engine.stop() == 0
    assert run_file(own_engine.data, "engine") == {}
    own_engine.start()
    assert own_engine.ask("SELECT count() FROM kept").body == b"1\n"


_LONG = "SELECT sum(sipHash64(number)) FROM numbers(100000000000)"


def _is_running(engine: Engine, sql: str) -> bool:
    found = engine.ask("SELECT countIf(query LIKE {start:String} || '%') FROM system.processes", param_start=sql)
    return found.body != b"0\n"


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def test_it_stops_although_a_statement_runs(tmp_path: Path) -> None:
    engine = Engine(tmp_path, {"stop_seconds": 1}).start()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(engine.ask, _LONG)
        _until(lambda: _is_running(engine, _LONG))
        assert engine.stop() == 0
        # Cut off, or told so; never a complete answer.
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert running.result(30).status >= 500
    assert run_file(tmp_path, "engine") == {}


def test_a_client_that_leaves_takes_its_query_along(engine: Engine) -> None:
    sql = "SELECT * FROM numbers(100000000001)"
    client = clickhouse_connect.get_client(dsn=engine.url)
    response: Any = client.raw_stream(sql, fmt="Native")
    assert response.read(1000)
    _until(lambda: _is_running(engine, sql))
    response.close()
    client.close()
    _until(lambda: not _is_running(engine, sql))


def test_an_idle_engine_stays_small(own_engine: Engine) -> None:
    own_engine.ask("SELECT count() FROM system.tables")
    assert own_engine.process is not None
    assert psutil.Process(own_engine.process.pid).memory_info().rss < 300 << 20


def test_it_listens_on_loopback_only_and_keeps_its_files_private(engine: Engine) -> None:
    assert engine.netloc.startswith("127.0.0.1:")
    assert (engine.data / "telemetry").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["with space", "per%20cent", "海", "a&b=c#d"])
def test_a_data_directory_may_have_any_name(tmp_path: Path, name: str) -> None:
    engine = Engine(tmp_path / name).start()
    try:
        assert engine.ask("SELECT path FROM system.disks").body.decode() == f"{tmp_path / name}/telemetry/\n"
    finally:
        engine.stop()


def test_a_question_mark_in_its_name_is_a_sentence(tmp_path: Path) -> None:
    second = Engine(tmp_path / "what?").launch()
    _, errors = second.communicate(timeout=30)
    assert second.returncode != 0
    assert b"cannot open" in errors
    assert b"Traceback" not in errors
