"""Logs at size: needles, phrases, regular expressions, histogram and facets, and the first line of a live tail.

    python -m benchmarks.logs --lines 10000000
    python -m benchmarks.logs --lines 0            the live tail alone, on an instance of its own

Lines of 20 services over 24 hours go through the tables that receivers write to, and are asked for through
`logs.queries`, HTTP to the engine included, as an administrator with no selector. Beside it the same lines in SQLite's
FTS5, in DuckDB and in one file for ripgrep (`make bench` installs DuckDB, `apt-get install ripgrep` the other).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.telemetry import own_engine
from benchmarks.traces import ROUNDS, measure, milliseconds, say

HOURS = 24
# Half a million stand near the engine's memory limit.
LINES_PER_INSERT = 100_000
PEER_ROUNDS = 5
TAILS = 10

_WORDS = (
    "concat('request ', lower(hex(sipHash64(number))), ' ', ['GET', 'POST', 'PUT'][1 + number % 3], ' /path/',"
    " toString(sipHash64(number, 1) % 5000), ' ', toString(sipHash64(number, 2) % 3000), ' ms user u',"
    " toString(sipHash64(number, 3) % 100000))"
)
_INSERT = f"""
    INSERT INTO logs_in (protocol, key, received, sender_kind, sender_name, identities, ts, service, host, component,
        level, message, attributes, resource)
    SELECT 'otlp', 0, now64(3), 'host', concat('host', toString(number % 40)) AS name,
        map('host.name', name),
        addNanoseconds(fromUnixTimestamp64Nano({{start:Int64}}), toInt64(number * {{step:Int64}})),
        concat('service-', toString(number % 20)) AS of, name, ['web', 'worker'][1 + number % 2],
        multiIf(number % 100 = 7, 'error', number % 20 = 3, 'warning', 'info'),
        multiIf(number % 1000 = 707, concat('upstream timed out: connection reset by peer, ', {_WORDS}),
            number % 100 = 7, concat('timeout after 30 s while reading from database, ', {_WORDS}), {_WORDS}),
        map('http.response.status_code', if(number % 100 = 7, '500', '200'), 'thread', toString(number % 16)),
        map('service.name', of, 'host.name', name)
    FROM numbers({{first:UInt64}}, {{count:UInt64}})"""
# What peers hold: a line's second, service, level and text.
_EXPORT = "SELECT toUnixTimestamp(ts), service, level, message FROM logs"


def fill(lines: int, start: datetime) -> float:
    """Write the lines; return how many a second."""
    from quarterdeck.telemetry import client

    step_ns = HOURS * 3600 * 10**9 // lines
    began = time.perf_counter()
    for first in range(0, lines, LINES_PER_INSERT):
        count = min(LINES_PER_INSERT, lines - first)
        client.command(
            _INSERT, {"start": int(start.timestamp()) * 10**9, "step": step_ns, "first": first, "count": count}
        )
    return lines / (time.perf_counter() - began)


def needles(count: int) -> list[str]:
    """Return the request ids of some lines, which stand in no other."""
    from quarterdeck.telemetry import client

    rows = client.query(
        "SELECT extract(message, 'request ([0-9a-f]+)') FROM logs ORDER BY sipHash64(message) LIMIT {n:UInt32}",
        {"n": count},
    )
    return [str(row[0]) for row in rows]


def questions(end: datetime, ids: list[str]) -> bool:
    """Ask everything; return whether every goal held."""
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.logs import queries
    from quarterdeck.logs.searching import Search

    day = end - timedelta(hours=HOURS)

    def page(query: str) -> Callable[[], int]:
        return lambda: len(queries.find(SYSTEM, Search(query, day, end)).lines)

    results = [measure("needle: one request's id, 24 h", 300, [page(one) for one in ids])]
    for title, query in (
        ("a phrase in one service", 'service:service-7 "connection reset by peer"'),
        ("level and word", "level:error timeout"),
        ("a field's value", "http.response.status_code:500"),
        ("everything, newest first", ""),
        ("a word that no line has", "unobtainium"),
        ("a regular expression beside a word", r"timeout message:/u9999\d\b/"),
    ):
        ask = page(query)
        results.append(measure(f"search, 24 h: {title} ({ask()} on the page)", 300, [ask] * ROUNDS))
    for title, query in (("all lines", ""), ("level:error", "level:error"), ("a word", "timeout")):
        search = Search(query, day, end)

        def both(search: Search = search) -> None:
            queries.histogram(SYSTEM, search)
            queries.facets(SYSTEM, search)

        results.append(measure(f"histogram and facets, 24 h: {title}", 500, [both] * (ROUNDS // 2)))
    return all(results)


def beside(home: Path, ids: list[str], ours: dict[str, float]) -> None:
    """Measure the peers over the same lines."""
    from quarterdeck.telemetry import client

    flat = home / "lines.tsv"
    with flat.open("wb") as file:
        # In small blocks: the engine has a gigabyte of memory.
        few = {"max_threads": 1, "max_block_size": 8192}
        shutil.copyfileobj(client.client().raw_stream(_EXPORT, fmt="TSVRaw", settings=few), file, 1 << 20)
    say("the lines in one file", f"{flat.stat().st_size / 1e9:.2f} GB")
    for name, peer in (("sqlite FTS5", _sqlite), ("duckdb", _duckdb), ("ripgrep", _ripgrep)):
        asks = peer(home, flat, ids)
        for title, call in (asks or {}).items():
            median, _p95 = milliseconds([call] * PEER_ROUNDS)
            say(f"{name}: {title}", f"{median:.0f} ms", f"{median / ours[title]:.1f} times ours ({ours[title]:.0f} ms)")


def _sqlite(home: Path, flat: Path, ids: list[str]) -> dict[str, Callable[[], Any]]:
    database = sqlite3.connect(home / "fts5.sqlite3")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute(
        "CREATE VIRTUAL TABLE lines USING fts5(unix_seconds UNINDEXED, service UNINDEXED, level UNINDEXED, message)"
    )
    began = time.perf_counter()
    with flat.open() as file, database:
        database.executemany(
            "INSERT INTO lines VALUES (?, ?, ?, ?)", (line.rstrip("\n").split("\t", 3) for line in file)
        )
    say("sqlite FTS5: filled in", f"{time.perf_counter() - began:.0f} s")
    ask = lambda sql, word: database.execute(sql, [word]).fetchall()  # noqa: E731
    return {
        "needle": lambda: ask("SELECT * FROM lines WHERE lines MATCH ? LIMIT 100", ids[0]),
        "histogram of a word": lambda: ask(
            "SELECT CAST(unix_seconds AS INTEGER) / 1440, count(*) FROM lines WHERE lines MATCH ? GROUP BY 1", "timeout"
        ),
    }


def _duckdb(home: Path, flat: Path, ids: list[str]) -> dict[str, Callable[[], Any]] | None:
    try:
        import duckdb
    except ImportError:
        say("duckdb", "not installed", "make bench installs it")
        return None
    database = duckdb.connect(str(home / "lines.duckdb"))
    began = time.perf_counter()
    columns = "{'unix_seconds': 'BIGINT', 'service': 'VARCHAR', 'level': 'VARCHAR', 'message': 'VARCHAR'}"
    database.execute(
        f"CREATE TABLE lines AS SELECT * FROM read_csv('{flat}', delim = '\t', quote = '', columns = {columns})"
    )
    say("duckdb: filled in", f"{time.perf_counter() - began:.0f} s")
    return {
        "needle": lambda: database.execute(
            "SELECT * FROM lines WHERE contains(message, ?) LIMIT 100", [ids[0]]
        ).fetchall(),
        "histogram of a word": lambda: database.execute(
            "SELECT unix_seconds // 1440, count(*) FROM lines WHERE message ILIKE '%timeout%' GROUP BY 1"
        ).fetchall(),
    }


def _ripgrep(home: Path, flat: Path, ids: list[str]) -> dict[str, Callable[[], Any]] | None:
    if not shutil.which("rg"):
        say("ripgrep", "not installed", "apt-get install ripgrep")
        return None
    return {"needle": lambda: subprocess.run(["rg", "-F", ids[0], flat], capture_output=True, check=True)}


def with_engine(lines: int) -> bool:
    with own_engine() as (home, _engine):
        end = datetime.now(UTC).replace(microsecond=0)
        say("lines stored through all views", f"{fill(lines, end - timedelta(hours=HOURS)):,.0f}/s")
        return _asked(home, end)


def _asked(home: Path, end: datetime) -> bool:
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.logs import queries
    from quarterdeck.logs.searching import Search
    from quarterdeck.telemetry import client

    client.command("OPTIMIZE TABLE logs FINAL")
    count, size = client.query(
        "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'logs'"
    )[0]
    say(f"logs: {count:,} rows", f"{size / count:.1f} B/row")
    ids = needles(ROUNDS)
    holds = questions(end, ids)
    day = end - timedelta(hours=HOURS)
    ours = {
        "needle": milliseconds([lambda: queries.find(SYSTEM, Search(ids[0], day, end))] * PEER_ROUNDS)[0],
        "histogram of a word": milliseconds(
            [lambda: queries.histogram(SYSTEM, Search("timeout", day, end))] * PEER_ROUNDS
        )[0],
    }
    beside(home, ids, ours)
    return holds


def live_tail() -> bool:
    """Send a line by OTLP/HTTP while a client follows; measure until it has the line."""
    from tests.lab.instances import running_instance

    from quarterdeck.conf.options import OPTIONS

    # As it is set for people; the lab gathers less.
    gather_ms = next(option.default for option in OPTIONS if option.name == "intake_gather_ms")
    with running_instance({"QD_INTAKE_GATHER_MS": str(gather_ms)}) as instance:
        times = [_followed(instance, number) for number in range(TAILS)]
    median = statistics.median(times)
    holds = max(times) < 1000
    say("live tail: a line, from its sending until it is seen", f"{median:.0f} / {max(times):.0f} ms")
    say("", "", f"goal < 1000 ms: {'holds' if holds else 'MISSED'}")
    return holds


def _followed(instance: Any, number: int) -> float:
    request = urllib.request.Request(f"{instance.url}/api/v1/logs/tail?q=needle{number}")
    request.add_header("Authorization", f"Bearer {instance.token}")
    seen, came = threading.Event(), [0.0]

    def read() -> None:
        with urllib.request.urlopen(request, timeout=60) as stream:
            for line in stream:
                if f"needle{number}".encode() in line:
                    came[0] = time.perf_counter()
                    seen.set()
                    return

    reader = threading.Thread(target=read)
    reader.start()
    time.sleep(2)
    began = time.perf_counter()
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": f"hello needle{number}"}}
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    address = f"http://{instance.environment['QD_INTAKE_HTTP']}/v1/logs"
    urllib.request.urlopen(
        urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    ).close()
    seen.wait(60)
    reader.join()
    return (came[0] - began) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=10_000_000, help="how many are stored; 0 for none")
    options = parser.parse_args()
    say("median / p95", "result", "")
    results = [with_engine(options.lines)] if options.lines else []
    results.append(live_tail())
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
