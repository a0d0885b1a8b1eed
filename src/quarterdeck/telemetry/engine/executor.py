"""Running one statement on chDB.

Every statement gets a Session of its own, used by one thread only and closed behind it (1 ms). One Session shared by
threads mixes their query parameters up (measured: 5-8 % of parallel queries), and a Session kept for the next statement
would keep the settings, the database and the temporary tables of the one before. An anchor Session, never queried,
keeps the engine itself up between statements.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import chdb
from chdb.session import Session as _ChdbSession

from quarterdeck.telemetry.engine import failures, statements
from quarterdeck.telemetry.engine.failures import EngineFailure
from quarterdeck.telemetry.engine.limits import Limits

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")
_CHUNK_BYTES = 1 << 20
# The statement itself, without an INSERT's data. ClickHouse's own limit (max_query_size) is 256 KB.
_STATEMENT_MAX_BYTES = 4 << 20
# Formats whose blocks can follow one another. chDB ends each block of any other one as if it were the last.
STREAMED_FORMATS = frozenset({"Native", "TabSeparated", "TSV", "CSV", "JSONEachRow", "RowBinary", "JSONCompactEachRow"})


@dataclass(slots=True)
class Statement:
    """One request. `content` holds the statement and, behind it, an INSERT's data; the reader may seek in it."""

    content: IO[bytes]
    parameters: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    database: str = ""
    default_format: str = statements.FORMAT_DEFAULT
    may_stream: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """How an answer begins: its format, what was read and written so far, and whether chunks follow."""

    format: str
    summary: dict[str, str]
    streamed: bool = False


# chDB has no types of its own.
_new_session: Callable[[str], Any] = _ChdbSession
Begin = Callable[[Answer], None]
Emit = Callable[[bytes], None]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Executor:
    """The open engine. `run` may be called from any number of threads."""

    def __init__(self, directory: Path, scratch: Path, limits: Limits) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._scratch = scratch
        self._limits = limits
        self._connection = limits.connection(directory)
        self._anchor = _new_session(self._connection)
        self.version, self.timezone = self._identity()

    def _identity(self) -> tuple[str, str]:
        with self._session() as session:
            version, timezone = session.query("SELECT version(), timezone()", "TSV").bytes().decode().split()
        return version, timezone

    def close(self) -> None:
        """Shut the engine down; no statement may be running."""
        self._anchor.close()

    def is_alive(self) -> bool:
        """True when the engine answers a trivial query."""
        with suppress(EngineFailure), self._session() as session:
            return bool(session.query("SELECT 1", "TSV").bytes() == b"1\n")
        return False

    @contextmanager
    def _session(self) -> Iterator[Any]:
        """Yield a fresh Session; the engine's errors come out as EngineFailure."""
        session = _new_session(self._connection)
        try:
            yield session
        except (chdb.ChdbError, RuntimeError) as error:
            raise EngineFailure(str(error)) from error
        finally:
            session.close()

    def run(self, statement: Statement, begin: Begin, emit: Emit) -> None:
        """Run `statement`: call `begin` once, then `emit` for each part of the answer. Raises EngineFailure.

        A failure after `begin` means that the answer was cut off.
        """
        head = statement.content.read(_STATEMENT_MAX_BYTES)
        insert = statements.split_insert(head)
        is_whole = not statement.content.read(1)
        if insert is not None and insert.format == "Values" and is_whole:
            # Rows in the statement itself may hold query parameters, which only a plain query replaces.
            insert = None
        if insert is None and not is_whole:
            raise EngineFailure(f"the statement is larger than {_STATEMENT_MAX_BYTES >> 20} MB", failures.TOO_LARGE)
        with self._session() as session:
            self._prepare(session, statement)
            if insert is None:
                self._query(session, statement, head, begin, emit)
            elif insert.input_at:
                self._insert_from_input(session, statement, insert, begin)
            else:
                self._insert(session, statement.content, insert, begin)

    def _prepare(self, session: Any, statement: Statement) -> None:
        if statement.database:
            session.query(f"USE `{statement.database.replace('`', '')}`")
        settings = dict(statement.settings)
        if statement.read_only:
            settings["readonly"] = "2"
        for name in settings:
            if not _SETTING_NAME.match(name):
                raise EngineFailure(f"{name!r} is no name of a setting", failures.BAD_ARGUMENTS)
        if settings:
            session.query("SET " + ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items()))

    def _query(self, session: Any, statement: Statement, text: bytes, begin: Begin, emit: Emit) -> None:
        if not text.strip(b" \t\r\n;"):
            raise EngineFailure("Empty query", failures.SYNTAX_ERROR)
        if statements.has_second_statement(text):
            raise EngineFailure("Multi-statements are not allowed", failures.SYNTAX_ERROR)
        name = statements.answer_format(text, statement.default_format)
        query = text.decode()
        if statement.may_stream and name in STREAMED_FORMATS and statements.may_stream(text):
            self._stream(session, query, name, statement.parameters, begin, emit)
            return
        started = time.monotonic_ns()
        result = session.query(query, name, params=statement.parameters)
        content = result.bytes()
        if len(content) > self._limits.answer_max_mb << 20:
            message = f"the answer is larger than {self._limits.answer_max_mb} MB; ask for it as a stream, or for less"
            raise EngineFailure(message, failures.TOO_LARGE)
        begin(Answer(name, _summary(started, read=result.storage_rows_read(), written=result.rows_written())))
        emit(content)

    def _stream(
        self, session: Any, query: str, name: str, parameters: dict[str, str], begin: Begin, emit: Emit
    ) -> None:
        """Answer block by block, so that a large answer needs no more memory than a block."""
        started = time.monotonic_ns()
        stream = session.send_query(query, name, params=parameters)
        try:
            # The first block is there before the answer begins: most failures come before it and keep their status.
            chunk = stream.fetch()
            begin(Answer(name, _summary(started), streamed=True))
            while chunk is not None and (content := chunk.bytes()):
                emit(content)
                chunk = stream.fetch()
        except BaseException:
            with suppress(RuntimeError):
                stream.cancel()
            raise

    def _insert(self, session: Any, content: IO[bytes], insert: statements.Insert, begin: Begin) -> None:
        started = time.monotonic_ns()
        inserter = session.send_insert(insert.head, insert.format)
        try:
            content.seek(insert.data_at)
            while chunk := content.read(_CHUNK_BYTES):
                inserter.append(chunk)
            result = inserter.finish()
        except BaseException:
            # Nothing of an unfinished insert may become visible.
            with suppress(RuntimeError):
                inserter.cancel()
            raise
        begin(Answer(statements.FORMAT_DEFAULT, _summary(started, written=result.rows_written)))

    def _insert_from_input(self, session: Any, statement: Statement, insert: statements.Insert, begin: Begin) -> None:
        """Run `INSERT ... SELECT ... FROM input('structure')`: chDB has no `input`, the same mapping reads a file."""
        started = time.monotonic_ns()
        start, end = insert.input_at or (0, 0)
        with tempfile.NamedTemporaryFile(dir=self._scratch) as file:
            statement.content.seek(insert.data_at)
            while chunk := statement.content.read(_CHUNK_BYTES):
                file.write(chunk)
            file.flush()
            source = f"file({_quoted(file.name)}, {_quoted(insert.format)}, "
            encoded = insert.head.encode()
            query = encoded[:start].decode() + source + encoded[end:].decode()
            result = session.query(query, "TSV", params=statement.parameters)
        begin(Answer(statements.FORMAT_DEFAULT, _summary(started, written=result.rows_written())))


def _summary(started_ns: int, *, read: int = 0, written: int = 0) -> dict[str, str]:
    """The counters of the header X-ClickHouse-Summary, where every number is a string."""
    elapsed = time.monotonic_ns() - started_ns
    return {"read_rows": str(read), "written_rows": str(written), "elapsed_ns": str(elapsed)}


def summary_header(answer: Answer) -> str:
    return json.dumps(answer.summary, separators=(",", ":"))
