"""Giving spooled bytes to the engine: one INSERT ... SELECT for each stream, which the engine parses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

from clickhouse_connect.driver.exceptions import DatabaseError
from django.conf import settings

from quarterdeck.core.errors import BadInput, Unavailable
from quarterdeck.core.plugins import plugins
from quarterdeck.telemetry import canonical, client, documents
from quarterdeck.telemetry.mapping import Rule, insert_statement
from quarterdeck.telemetry.receiving import FAMILY, Frame, Receiver, Stream

# One block for each insert, so that it is stored whole or not at all, and its token counts it once.
_OPTIONS: Mapping[str, str | int] = {
    "insert_deduplicate": 1,
    # Rows that one insert brings twice go when parts are merged, as those of two inserts do: asking each insert for
    # them costs spans a fifth of their way (13.2 -> 11.0 us of CPU each, Zipkin's 12.7 -> 8.0).
    "optimize_on_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "min_insert_block_size_rows": 1_000_000_000,
    "min_insert_block_size_bytes": 0,
    "max_insert_threads": 1,
    # Two segments are loaded beside each other, each by one thread.
    "max_threads": 1,
    "max_partitions_per_insert_block": 0,
    # The expressions of redaction are looked at only where a rule matches.
    "short_circuit_function_evaluation": "force_enable",
    "input_format_allow_errors_num": 0,
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    "input_format_defaults_for_omitted_fields": 1,
    "date_time_input_format": "best_effort",
}

# Of so few bytes an insert costs what it takes to plan it, 130 ms of CPU for OTLP's lines: finding the best plan and
# compiling it costs more than it saves. Indexes are made when parts are merged; a search reads what has none.
_LITTLE_BYTES = 512 << 10
_LITTLE_OPTIONS: Mapping[str, str | int] = {
    "query_plan_enable_optimizations": 0,
    "optimize_and_compare_chain": 0,
    "compile_expressions": 0,
    "materialize_skip_indexes_on_insert": 0,
}

# ClickHouse's error numbers that say nothing of the bytes: a table or a column is missing (16, 46,
# 47, 60, 62, 81), files cannot be read or written (74, 76, 84, 88, 107, 1001), the table takes nothing now (242, 252),
# the statement was ended (236, 394), no thread (439), no right (497), an expression of redaction is wrong (427). The
# frames wait until that is mended.
_NOT_OF_THE_DATA = frozenset({16, 46, 47, 60, 62, 74, 76, 81, 84, 88, 107, 236, 242, 252, 394, 427, 439, 497, 1001})


@dataclass(frozen=True, slots=True)
class Origin:
    """What is common to the frames of one insert: who sent them, and the labels of their key."""

    protocol: str
    key: int
    received_ms: int
    labels: Mapping[str, str]


class NotReadable(BadInput):
    """The engine cannot read these bytes as their protocol says."""


def receivers() -> dict[str, Receiver]:
    """Return every protocol by name."""
    return plugins(FAMILY, Receiver)


@cache
def streams() -> dict[str, Stream]:
    """Return every stream by its name, `otlp.traces`; a name that two receivers give is a bug."""
    found = {**canonical.STREAMS, **documents.STREAMS}
    for receiver in receivers().values():
        for name, stream in receiver.streams.items():
            if found.setdefault(name, stream) is not stream:
                raise TypeError(f"two receivers name a stream {name}")
    return found


def load(frames: Sequence[Frame], origin: Origin, token: str, rules: Sequence[Rule] = ()) -> None:
    """Store the frames, all of one stream, at once.

    Sent again with the same `token` they count once. Raises NotReadable for bytes that are not what the stream expects,
    Unavailable.
    """
    stream = streams().get(frames[0].stream)
    if stream is None:
        raise NotReadable(f'no receiver has a stream "{frames[0].stream}"')
    is_little = sum(len(frame.content) for frame in frames) < _LITTLE_BYTES
    options = {
        **_OPTIONS,
        **(_LITTLE_OPTIONS if is_little else {}),
        "insert_deduplication_token": token,
        **stream.options,
    }
    if stream.proto:
        options |= {
            "format_schema_source": "string",
            "format_schema": stream.proto,
            "format_schema_message_name": stream.message,
        }
    parameters = {
        "received": datetime.fromtimestamp(origin.received_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
        "key": origin.key,
        "protocol": origin.protocol,
        "labels": dict(origin.labels),
    }
    try:
        if settings.QD["clickhouse_url"]:
            content = b"".join(_pieces(stream, frames))
            client.insert_mapped(insert_statement(stream, rules), content, parameters, options)
        else:
            with _file_of(stream, frames) as path:
                client.command(insert_statement(stream, rules, str(path)), parameters, options=options)
    except DatabaseError as error:
        if error.code in _NOT_OF_THE_DATA:
            raise Unavailable(f"the engine cannot store {frames[0].stream}: {client.said(error)}") from error
        # A series may be noted as written though this insert, which wrote it, was taken back.
        client.command("TRUNCATE TABLE series_written")
        raise NotReadable(f"the engine refuses {frames[0].stream}: {client.said(error)}") from error


@contextmanager
def _file_of(stream: Stream, frames: Sequence[Frame]) -> Iterator[Path]:
    """Yield a file with the frames, for the engine of this machine: read by itself, they cost a third less."""
    folder = Path(settings.DATA) / "run" / "load"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile(dir=folder) as file:
        file.writelines(_pieces(stream, frames))
        file.flush()
        yield Path(file.name)


def forget_files() -> None:
    """Remove the files that a process which was killed left; only one process may load at a time."""
    for path in (Path(settings.DATA) / "run" / "load").glob("*"):
        path.unlink()


def _pieces(stream: Stream, frames: Sequence[Frame]) -> Iterator[bytes]:
    """Yield the frames as one file in the stream's format."""
    for frame in frames:
        if stream.delimiter == "varint":
            yield _varint(len(frame.content))
        yield frame.content
        if stream.delimiter == "line":
            yield b"\n"


def _varint(number: int) -> bytes:
    """Return the number in base 128. See https://protobuf.dev/programming-guides/encoding/#varints"""
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
