"""What a recording is made of, and that nothing of it is lost when the engine is away for a while."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from django.conf import settings

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import BadInput, Unavailable
from quarterdeck.jobs.terminals import keeping, output, serving
from quarterdeck.jobs.terminals.keeping import Keeper, Kept, Recording
from quarterdeck.jobs.terminals.models import End, TerminalSession
from quarterdeck.jobs.terminals.output import Block
from quarterdeck.jobs.terminals.recording import Writer
from quarterdeck.remote.terminals import Size


def events(lines: bytes) -> list[list[Any]]:
    return [orjson.loads(line) for line in lines.splitlines()]


def test_a_character_in_two_pieces_stays_one_and_what_is_no_text_is_replaced() -> None:
    writer, letters = Writer(), "中".encode()
    assert writer.printed(1, letters[:2]) == b""
    assert events(writer.printed(2, letters[2:] + b"\xff")) == [[2, "o", "中�"]]
    assert writer.rest(3) == b""
    writer.printed(4, letters[:1])
    assert events(writer.rest(5)) == [[5, "o", "�"]]


def test_a_size_is_an_event() -> None:
    assert events(Writer().resized(0.1234567, Size(101, 33))) == [[0.123457, "r", "101x33"]]


@pytest.mark.parametrize(
    ("printed", "commands"),
    [
        (b"\x1b]133;C;cmdline_url=echo%20%27a%20b%27\x07out", ["echo 'a b'"]),
        (b"\x1b]133;C;k=i;cmdline_url=ls\x1b\\out", ["ls"]),
        (b"\x1b]633;E;echo a\\x3b b\\\\c;nonce\x07", ["echo a; b\\c"]),
        (b"\x1b]133;C\x07out\x1b]0;title\x07", []),
        (b"$ ls\r\n", []),
    ],
)
def test_a_command_is_a_mark_where_the_shell_says_it(printed: bytes, commands: list[str]) -> None:
    found = events(Writer().printed(1, printed))
    assert [text for _at, code, text in found if code == "m"] == commands
    assert found[-1] == [1, "o", printed.decode()]
    # The same where it comes letter by letter.
    writer = Writer()
    lines = b"".join(writer.printed(1, printed[at : at + 1]) for at in range(len(printed)))
    assert [text for _at, code, text in events(lines) if code == "m"] == commands


def test_a_mark_without_an_end_is_not_waited_for() -> None:
    writer = Writer()
    writer.printed(1, b"\x1b]133;C;cmdline_url=" + b"x" * 10_000)
    assert len(writer._open_mark) <= 4096


@pytest.mark.parametrize(
    "said", ["", "{", "[]", '{"kind": "seen"}', '{"kind": "seen", "bytes": -1}', '{"kind": "seen", "bytes": true}',
             '{"kind": "size", "columns": 1}', '{"kind": "other"}'],
)  # fmt: skip
def test_what_a_browser_may_not_say_is_refused(said: str) -> None:
    with pytest.raises(BadInput):
        serving._read(said)


@pytest.mark.parametrize("size", [("0", "24"), ("80", "0"), ("1001", "24"), ("80", "501"), ("x", "24"), (None, 1.5)])
def test_what_is_no_size_is_refused(size: tuple[object, object]) -> None:
    with pytest.raises(BadInput):
        serving.size_of(*size)
    assert serving.size_of("80", 24) == Size(80, 24)


class Engine:
    """Keeps blocks by their token, and is away for some tries."""

    def __init__(self, away: int = 0) -> None:
        self.away, self.stored = away, {}  # type: ignore[var-annotated]

    def store(self, blocks: list[Block], token: str) -> None:
        if self.away:
            self.away -= 1
            # It may have come there all the same.
            self.stored[token] = list(blocks)
            raise Unavailable("away")
        self.stored[token] = list(blocks)

    def text(self, session: int) -> str:
        blocks = [block for group in self.stored.values() for block in group if block.session == session]
        assert [block.number for block in blocks] == list(range(1, len(blocks) + 1))
        lines = b"".join(block.events for block in blocks)
        return "".join(text for _at, code, text in events(lines) if code == "o")


def kept(session: int, ends: list[End]) -> Kept:
    return Kept(None, TerminalSession(pk=session), ends.append, Recording(session))  # type: ignore[arg-type]


def test_blocks_are_written_once_in_their_order_and_again_when_the_engine_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(away=2)
    monkeypatch.setattr(output, "store", engine.store)
    monkeypatch.setattr(keeping, "WRITE_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "_BEAT_SECONDS", 3600)

    async def work() -> None:
        keeper, one, two = Keeper(), kept(1, []), kept(2, [])
        for each in (one, two):
            keeper.keep(each)
        for number in range(20):
            one.recording.printed(f"a{number} ".encode())
            two.recording.printed(f"b{number} ".encode())
            await asyncio.sleep(0.005)
        assert await keeper.let_go(one)
        assert await keeper.let_go(two)

    asyncio.run(work())
    assert engine.text(1) == "".join(f"a{number} " for number in range(20))
    assert engine.text(2) == "".join(f"b{number} " for number in range(20))


def test_a_host_waits_while_its_output_cannot_be_written_and_ends_when_it_stays_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, ends = Engine(away=10**9), []  # type: ignore[var-annotated]
    monkeypatch.setattr(output, "store", engine.store)
    monkeypatch.setattr(keeping, "WRITE_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "_UNWRITTEN_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "_WAITING_BYTES", 1000)

    async def work() -> None:
        keeper, one = Keeper(), kept(1, ends)
        keeper.keep(one)
        one.recording.printed(b"x" * 2000)
        room = asyncio.ensure_future(one.recording.room())
        while End.UNRECORDED not in ends:
            await asyncio.sleep(0.01)
        assert not room.done()
        assert not await keeper.let_go(one)
        engine.away = 0
        await room

    asyncio.run(work())
    assert engine.text(1) == "x" * 2000


def test_who_does_not_type_is_warned_and_then_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_LOOK_SECONDS", 0.01)
    monkeypatch.setitem(settings.QD, "terminal_idle_seconds", 1)
    said: list[dict[str, Any]] = []

    async def hear(message: str | bytes) -> None:
        said.append(orjson.loads(message))

    async def work() -> End | None:
        one = serving.Serving(SYSTEM, 1, Size(80, 24), hear, lambda: False)
        watching = asyncio.ensure_future(one._watch())
        while not said:
            await asyncio.sleep(0.01)
        await one.hear(b"x")
        while len(said) < 2:
            await asyncio.sleep(0.01)
        await watching
        return one._end

    assert asyncio.run(work()) is End.IDLE
    assert [one["kind"] for one in said] == ["idle"] * 3
    # The second says that there is nothing to fear any more.
    assert [one["seconds"] is None for one in said] == [False, True, False]


def test_one_that_is_open_for_too_long_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_LOOK_SECONDS", 0.01)
    monkeypatch.setitem(settings.QD, "terminal_max_hours", 0.00001)
    monkeypatch.setitem(settings.QD, "terminal_idle_seconds", 0)

    async def work() -> End | None:
        one = serving.Serving(SYSTEM, 1, Size(80, 24), lambda _message: asyncio.sleep(0), lambda: False)
        await one._watch()
        return one._end

    assert asyncio.run(work()) is End.LONGEST


class Failing:
    """An engine whose inserts fail or hang as `trouble` does, until that is None."""

    def __init__(self, trouble: Callable[[], object] | None) -> None:
        self.trouble = trouble
        self.engine, self.tries = Engine(), 0

    def store(self, blocks: list[Block], token: str) -> None:
        self.tries += 1
        if self.trouble is not None:
            self.trouble()
        self.engine.store(blocks, token)


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The signs of life so far; everything that is done now and then is done often."""
    found: list[int] = []

    def beaten(kept: list[Kept], *, asks_rights: bool) -> dict[int, End]:
        found.append(len(kept))
        return {}

    monkeypatch.setattr(keeping, "_beaten", beaten)
    monkeypatch.setattr(keeping, "WRITE_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "_BEAT_SECONDS", 0.01)
    monkeypatch.setattr(keeping, "_UNWRITTEN_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "_REST_SECONDS", 0.05)
    return found


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.01)


def test_whatever_error_the_engine_has_terminals_beat_and_end_and_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, beats: list[int]
) -> None:
    def refuse() -> None:
        raise DatabaseError("code: 252, too many parts")

    engine, ends = Failing(refuse), []  # type: ignore[var-annotated]
    monkeypatch.setattr(output, "store", engine.store)

    async def work() -> None:
        keeper, one = Keeper(), kept(1, ends)
        keeper.keep(one)
        one.recording.printed(b"secret")
        await until(lambda: End.UNRECORDED in ends and len(beats) > 2)
        engine.trouble = None
        await until(lambda: bool(engine.engine.stored))
        assert await keeper.let_go(one)

    asyncio.run(work())
    assert engine.engine.text(1) == "secret"


def test_an_engine_that_hangs_keeps_neither_beats_nor_ends_waiting(
    monkeypatch: pytest.MonkeyPatch, beats: list[int]
) -> None:
    goes_on = threading.Event()
    engine, ends = Failing(lambda: goes_on.wait(20)), []  # type: ignore[var-annotated]
    monkeypatch.setattr(output, "store", engine.store)

    async def work() -> None:
        keeper, one = Keeper(), kept(1, ends)
        keeper.keep(one)
        one.recording.printed(b"x")
        await until(lambda: End.UNRECORDED in ends and len(beats) > 2)
        assert not await keeper.let_go(one)
        # What is on its way was not sent a second time beside it.
        assert engine.tries == 1
        goes_on.set()
        await until(lambda: bool(engine.engine.stored))

    asyncio.run(work())
    assert engine.engine.text(1) == "x"


@pytest.mark.parametrize(
    "endless",
    [b"\x1b]133;C" + b";cmdline_url=a" * 75_000, b"\x1b]" * 500_000, b"\x1b" * 1_000_000, b"\x1b]633;E;a" * 100_000],
    ids=["values", "beginnings", "escapes", "commands"],
)
def test_marks_without_an_end_cost_no_more_than_their_length(endless: bytes) -> None:
    # Where each character is tried again for those before it, these take minutes.
    assert [code for _at, code, _text in events(Writer().printed(1, endless))] == ["o"]


def test_a_mark_may_begin_where_another_ends() -> None:
    writer = Writer()
    writer.printed(1, b"\x1b]0;title\x07\x1b")
    assert [text for _at, code, text in events(writer.printed(2, b"]633;E;ls\x07")) if code == "m"] == ["ls"]


class FakeTerminal:
    def __init__(self) -> None:
        self.sizes: list[Size] = []

    async def resize(self, size: Size) -> None:
        self.sizes.append(size)


def test_of_many_sizes_the_last_one_counts_and_the_same_again_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_RESIZE_SECONDS", 0.05)
    terminal, recording = FakeTerminal(), Recording(1)

    async def work() -> None:
        one = serving.Serving(SYSTEM, 1, Size(80, 24), lambda _message: asyncio.sleep(0), lambda: False)
        passing = asyncio.create_task(one._pass_sizes(terminal, recording, Size(80, 24)))  # type: ignore[arg-type]
        for columns in [80, *range(100, 1000), *[999] * 100]:
            await one.hear(orjson.dumps({"kind": "size", "columns": columns, "rows": 24}).decode())
        await until(lambda: terminal.sizes[-1:] == [Size(999, 24)])
        passing.cancel()

    asyncio.run(work())
    assert terminal.sizes[0] == Size(100, 24)
    assert len(terminal.sizes) < 100
    block = recording.take()
    assert block is not None
    assert [text for _at, _code, text in events(block.events)] == [f"{size.columns}x24" for size in terminal.sizes]


def test_a_recording_is_full_by_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.QD, "terminal_recording_max_mb", 1)
    monkeypatch.setattr(keeping, "_WAITING_BYTES", 8 << 20)
    recording = Recording(1)

    async def work() -> End | None:
        one = serving.Serving(SYSTEM, 1, Size(80, 24), lambda _message: asyncio.sleep(0), lambda: False)
        recording.printed(b"\0" * 150_000)
        assert await one._is_recorded(recording)
        # Each is six characters in JSON.
        recording.printed(b"\0" * 50_000)
        assert not await one._is_recorded(recording)
        return one._end

    assert asyncio.run(work()) is End.FULL
