"""Telemetry as files: a consistent copy taken while everything runs, and back. The same over the engine or a server.

    DIRECTORY/manifest.json                 {"format": 1, "schema": 1, "tables": {"samples": {"rows", "chunks"}}}
    DIRECTORY/samples.0000.native.zst       one chunk, in the manifest {"file", "rows", "sha256"}

The copy is a clone of each table, made of hard links in milliseconds, which is then read in chunks and dropped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from backports import zstd

from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, Unavailable
from quarterdeck.telemetry import actions, client, migrating

_FORMAT = 1
_CHUNK_BYTES = 64 << 20
_READ_BYTES = 1 << 20
_NAME = re.compile(r"[a-z][a-z0-9_]*\.[0-9]{4,}\.native\.zst\Z")
_PREFIX = "backup_"
# What tells about the tables themselves is made anew where they are restored.
_LEFT_OUT = ("schema_version", "schema_lock")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One file of one table's rows."""

    file: str
    rows: int
    sha256: str


def dump(directory: Path) -> dict[str, int]:
    """Write every table of the moment of the call into `directory` (made if missing); return `{"samples": rows}`.

    Rows that were acknowledged before the call are in it. Raises Unavailable.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    _drop_leftovers()
    with _clones(_tables()) as clones:
        tables = {table: _dump_table(directory, table, clone) for table, clone in clones.items()}
    manifest = {
        "format": _FORMAT,
        "schema": migrating.steps()[-1].version,
        "tables": {
            table: {"rows": sum(chunk.rows for chunk in chunks), "chunks": [asdict(chunk) for chunk in chunks]}
            for table, chunks in tables.items()
        },
    }
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    return {table: sum(chunk.rows for chunk in chunks) for table, chunks in tables.items()}


def load(directory: Path) -> dict[str, int]:
    """Replace all telemetry by what `dump` wrote into `directory`; return `{"samples": rows}`.

    Everything is checked before the first row is touched. Raises BadInput for files that are missing or were changed,
    Conflict for a dump of a newer version, Unavailable.
    """
    manifest = _manifest(directory)
    _verify(directory, manifest)
    for table in manifest.keys() - set(_tables()):
        raise Conflict(f'the backup has a table "{table}" that is unknown here', hint="restore with a newer version")
    restored = {table: _load_table(directory, table, chunks) for table, chunks in manifest.items()}
    actions.forget_series()
    return restored


def _tables() -> list[str]:
    """Return the tables that hold telemetry, which applies the schema where it is missing."""
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        " AND NOT startsWith(name, {prefix:String}) AND name NOT IN {left:Array(String)} ORDER BY name",
        {"prefix": _PREFIX, "left": list(_LEFT_OUT)},
    )
    return [str(name) for (name,) in rows]


@contextmanager
def _clones(tables: list[str]) -> Iterator[dict[str, str]]:
    """Clone the tables one after the other; in the clones nothing is merged or expired."""
    # The time is in the name: the embedded engine knows no time of change of a table.
    run = f"{int(now().timestamp())}_{uuid4().hex[:12]}"
    clones = {table: f"{_PREFIX}{run}_{table}" for table in tables}
    try:
        for table, clone in clones.items():
            client.command(f"CREATE TABLE {clone} CLONE AS {table}")
            client.command(f"SYSTEM STOP MERGES {clone}")
        yield clones
    finally:
        for clone in clones.values():
            client.command(f"DROP TABLE IF EXISTS {clone}")


def _drop_leftovers() -> None:
    """Drop the clones of a dump that was killed."""
    rows = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {prefix:String})"
        " AND toInt64OrZero(splitByChar('_', name)[2]) < toUnixTimestamp(now()) - 86400",
        {"prefix": _PREFIX},
    )
    for (name,) in rows:
        client.command(f"DROP TABLE IF EXISTS {name}")


def _dump_table(directory: Path, table: str, clone: str) -> list[Chunk]:
    parts = client.query(
        "SELECT name, rows, data_uncompressed_bytes FROM system.parts"
        " WHERE active AND database = currentDatabase() AND table = {table:String} ORDER BY name",
        {"table": clone},
    )
    chunks: list[Chunk] = []
    for name, rows, size in parts:
        step = max(1, int(rows) * _CHUNK_BYTES // max(int(size), 1))
        for start in range(0, int(rows), step):
            file = f"{table}.{len(chunks):04}.native.zst"
            count = min(step, int(rows) - start)
            sql = f"SELECT * FROM {clone} WHERE _part = {{part:String}} AND _part_offset >= {{start:UInt64}}"
            sql += " AND _part_offset < {end:UInt64}"
            digest = _write(directory / file, sql, {"part": name, "start": start, "end": start + count})
            chunks.append(Chunk(file, count, digest))
    return chunks


def _write(path: Path, sql: str, parameters: dict[str, Any]) -> str:
    """Stream the rows of `sql` into `path`; return the file's SHA-256."""
    with zstd.open(path, "wb") as file:
        for block in client.stream(sql, parameters, "Native"):
            file.write(block)
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(directory: Path) -> dict[str, list[Chunk]]:
    """Return `{"samples": [Chunk]}` of the dump in `directory`."""
    try:
        content = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
        tables = {
            str(table): [Chunk(str(c["file"]), int(c["rows"]), str(c["sha256"])) for c in facts["chunks"]]
            for table, facts in content["tables"].items()
        }
        versions = int(content["format"]), int(content["schema"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{directory} holds no backup of telemetry: {error}", hint="name another backup") from error
    if versions[0] > _FORMAT or versions[1] > migrating.steps()[-1].version:
        raise Conflict("the backup was made by a newer version", hint="restore it with that version")
    return tables


def _verify(directory: Path, manifest: dict[str, list[Chunk]]) -> None:
    for chunk in (chunk for chunks in manifest.values() for chunk in chunks):
        path = directory / chunk.file
        # The name comes from the backup: it must not lead out of the directory.
        if not _NAME.match(chunk.file) or not path.is_file():
            raise BadInput(f'the backup lacks the file "{chunk.file}"', hint="the copy is incomplete, use another")
        if _digest(path) != chunk.sha256:
            raise BadInput(f'the file "{chunk.file}" of the backup was changed or damaged', hint="use another copy")


def _load_table(directory: Path, table: str, chunks: list[Chunk]) -> int:
    client.command(f"TRUNCATE TABLE {table}")
    for chunk in chunks:
        with zstd.open(directory / chunk.file, "rb") as file:
            client.insert_raw(table, file.read(), "Native", token=f"restore-{chunk.sha256}")
    found = int(client.query(f"SELECT count() FROM {table}")[0][0])
    expected = sum(chunk.rows for chunk in chunks)
    # Rows that have expired since may be gone already, and equal keys of aggregating tables may be merged.
    if found > expected:
        raise Unavailable(f"{table} has {found} rows after the restore, {expected} were expected", hint="restore again")
    return expected
