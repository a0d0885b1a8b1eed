"""What a LogQL query finds, as it comes in: the lowering of `answering.lines` and the waking of `logs.tailing`.

One question brings at most ENTRIES_MAX lines of ENTRIES_BYTES together. What is beyond that comes without its text,
so that whoever follows can be told what he does not see.
"""

from __future__ import annotations

from dataclasses import dataclass

from quarterdeck.audit.actor import Actor
from quarterdeck.logs.identity import ID
from quarterdeck.logs.logql.answering import Labels, Reader, piped
from quarterdeck.logs.tailing import Lately, Tail

ENTRIES_MAX = 1000
ENTRIES_BYTES = 4 << 20
# How many are told by time and labels only.
DROPPED_MAX = 1000
_KEPT = {"id": ID, "received": "logs.received"}
_SQL = f"""
    SELECT toUnixTimestamp64Nano(s.ts), s.id, if(s.fits, s.line, ''), mapSort(s.labels), s.fits FROM (
        SELECT *, row_number() OVER w <= {{most}} AND sum(length(line)) OVER w <= {ENTRIES_BYTES} AS fits
        FROM (SELECT * FROM ({{made}}) ORDER BY {{order}} LIMIT {{most}} + {DROPPED_MAX})
        WINDOW w AS (ORDER BY {{order}} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS s
    ORDER BY {{order}}"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line with its labels. `is_dropped`: it is only told that there is one, `line` is ""."""

    ts_ns: int
    id: str
    line: str
    labels: Labels
    is_dropped: bool = False


def tail(actor: Actor, query: str) -> Tail[Entry]:
    """Return the tail of what a query of lines finds. Raises as `Tail.poll`."""

    def read(lately: Lately) -> list[Entry]:
        reader = Reader(actor)
        where = reader.within.of(reader.bind, lately.since_ns - 1, lately.until_ns - 1)
        arrived = f"logs.received >= toDateTime({reader.bind('Int64', lately.arrived)}, 'UTC')"
        return _entries(reader, query, f"{where} AND {arrived}", "received DESC, ts DESC, id DESC", ENTRIES_MAX)

    return Tail(read)


def newest(actor: Actor, query: str, after_ns: int, until_ns: int, *, limit: int) -> list[Entry]:
    """Return the newest `limit` lines in (after, until], oldest first, without those that are too large together."""
    reader = Reader(actor)
    where = reader.within.of(reader.bind, after_ns, until_ns)
    found = _entries(reader, query, where, "ts DESC, id DESC", limit)
    return [entry for entry in reversed(found[:limit]) if not entry.is_dropped]


def _entries(reader: Reader, query: str, where: str, order: str, most: int) -> list[Entry]:
    made = piped(reader.bind, query, where, _KEPT)
    rows = reader.rows(_SQL.format(made=made.sql, order=order, most=most))
    return [Entry(int(ts), f"{id_:016x}", line, dict(labels), not fits) for ts, id_, line, labels, fits in rows]
