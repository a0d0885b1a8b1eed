"""What hosts print, in the engine: written block by block, read by host, by run and as it comes.

The bytes are kept as they came, but for secrets that are known. Searches find them as log lines, redacted by the rules
of the intake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quarterdeck.core.clock import now
from quarterdeck.jobs.runs.models import Run, RunHost, Shard
from quarterdeck.remote.sessions import Stream
from quarterdeck.telemetry import client
from quarterdeck.telemetry.mapping import redacted
from quarterdeck.telemetry.redaction import rules

Row = tuple[int, Stream, bytes]
SERVICE = "quarterdeck.runs"
_OPTIONS = {"max_execution_time": 20}
# What one answer holds at most; the rest is asked for from where it ended.
PART_BYTES = 1 << 20
# Several log lines of one instant stay in their order by a nanosecond each.
_TO_LOGS = """
    INSERT INTO logs
        (ts, received, sender, service, host, source, level, message, attributes, resource)
    SELECT
        toDateTime64(ts, 9, 'UTC') + toIntervalNanosecond(number), now(), item, {{service:String}}, name, 'run',
        if(stream = 'stderr', 'error', 'info'), {message}, map('run', toString(run), 'stream', toString(stream)),
        map('host.name', toString(name))
    FROM (
        SELECT
            run, item, name, stream, ts,
            toValidUTF8(replaceRegexpAll(body, '\\x1b\\\\[[0-9;?]*[ -/]*[@-~]|\\x1b[@-Z\\\\\\\\-_]|\\r', '')) AS text
        FROM run_output
        WHERE run = {{run:UInt64}} AND shard = {{shard:UInt32}}
            AND block > {{after:UInt32}} AND block <= {{until:UInt32}}
    )
    ARRAY JOIN splitByChar('\\n', text) AS line, arrayEnumerate(splitByChar('\\n', text)) AS number
    WHERE line != ''"""
_OF_HOST = """
    SELECT block, part, toString(stream), body FROM run_output
    WHERE run = {run:UInt64} AND host = {host:UInt64} AND (block, part) > ({block:UInt32}, {part:UInt32}) {stream}
    ORDER BY block, part LIMIT {rows:UInt32}"""
_OF_HOSTS = """
    SELECT host, toString(stream), substring(arrayStringConcat(groupArray(body)), 1, {bytes:UInt32}) AS bodies
    FROM (
        SELECT host, stream, body FROM run_output
        WHERE run = {run:UInt64} AND host IN {hosts:Array(UInt64)} ORDER BY host, block, part
        LIMIT 200 BY host, stream
    )
    GROUP BY host, stream"""
_NEW = """
    SELECT host, name, toString(stream), ts, body FROM run_output
    WHERE run = {run:UInt64} AND block > transform(shard, {shards:Array(UInt32)}, {seen:Array(UInt32)}, 4294967295)
        AND block <= transform(shard, {shards:Array(UInt32)}, {until:Array(UInt32)}, 0)
    ORDER BY ts, shard, block, part"""


@dataclass(frozen=True, slots=True)
class Named:
    """The item and the name of a run's host."""

    item: int
    name: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some output of a host. `at` is where it stands: what follows is asked for after it."""

    at: tuple[int, int]
    stream: str
    body: bytes


@dataclass(frozen=True, slots=True)
class New:
    """Some output as it came in."""

    host: int
    name: str
    stream: str
    ts: datetime
    body: bytes


def store(shard: Shard, names: Mapping[int, Named], rows: Sequence[Row]) -> None:
    """Append the shard's block of output, once however often this is tried. Raises Unavailable."""
    at, count = now(), len(rows)
    columns: dict[str, Sequence[Any]] = {
        "run": [shard.run_id] * count,
        "host": [host for host, _stream, _data in rows],
        "block": [shard.blocks] * count,
        "part": list(range(1, count + 1)),
        "shard": [shard.number] * count,
        "stream": [stream.value for _host, stream, _data in rows],
        "ts": [at] * count,
        "item": [names[host].item for host, _stream, _data in rows],
        "name": [names[host].name for host, _stream, _data in rows],
        "body": [data for _host, _stream, data in rows],
    }
    # The claim is part of it: what a dead worker wrote under the same number is another block.
    token = f"run-{shard.pk}-{shard.claimed_by}-{shard.blocks}"
    client.insert("run_output", columns, token=token)


def make_searchable(shard: Shard) -> None:
    """Make log lines of the blocks that are none yet. Raises Unavailable; what fails is tried again by the sweeper."""
    after, until = shard.searchable_blocks, shard.blocks
    if after == until:
        return
    values = {"run": shard.run_id, "shard": shard.number, "after": after, "until": until, "service": SERVICE}
    options = {"insert_deduplication_token": f"run-lines-{shard.pk}-{after}-{until}", "insert_deduplicate": 1}
    client.command(_TO_LOGS.format(message=redacted("line", rules())), values, options=options)
    shard.searchable_blocks = until
    Shard.objects.filter(pk=shard.pk).update(searchable_blocks=until)


def of_host(host: RunHost, after: tuple[int, int] = (0, 0), *, stream: str = "", rows: int = 200) -> list[Piece]:
    """Return the next pieces of a host's output, in the order in which they came. Raises Unavailable."""
    values: dict[str, Any] = {"run": host.run_id, "host": host.pk, "block": after[0], "part": after[1], "rows": rows}
    condition = "AND stream = {stream:String}" if stream else ""
    found = client.query(
        _OF_HOST.replace("{stream}", condition), values | {"stream": stream}, options=_OPTIONS, binary=["body"]
    )
    return [Piece((block, part), name, body) for block, part, name, body in found]


def of_hosts(run: Run, hosts: Sequence[int], limit_bytes: int) -> dict[int, dict[str, bytes]]:
    """Return `{host: {"stdout": b"...", "stderr": b"..."}}`, of each stream the first `limit_bytes`."""
    if not hosts:
        return {}
    values = {"run": run.pk, "hosts": list(hosts), "bytes": limit_bytes}
    found: dict[int, dict[str, bytes]] = {}
    for host, stream, body in client.query(_OF_HOSTS, values, options=_OPTIONS, binary=["bodies"]):
        found.setdefault(host, {})[stream] = body
    return found


def news(run: Run, blocks: Mapping[int, tuple[int, int]]) -> list[New]:
    """Return the output of some blocks of shards: `{shard number: (after this block, up to that one)}`."""
    if not blocks:
        return []
    values = {
        "run": run.pk,
        "shards": list(blocks),
        "seen": [after for after, _until in blocks.values()],
        "until": [until for _after, until in blocks.values()],
    }
    rows = client.query(_NEW, values, options=_OPTIONS, binary=["body"])
    return [New(host, str(name), stream, ts, body) for host, name, stream, ts, body in rows]
