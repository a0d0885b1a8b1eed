"""The spool alone: what is acknowledged is there after any end of the process, and nothing else is."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.lab.parts import wait_until

from quarterdeck.core.errors import Unavailable
from quarterdeck.intake.spool import frames, writer
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.numbers import Numbers
from quarterdeck.intake.spool.writer import Spool, SpoolFull
from quarterdeck.telemetry.receiving import Frame

NOW = time.time()


def _entry(content: bytes, *, stream: str = "s", key: int = 0, records: int = 1) -> Entry:
    return Entry("test", key, 1_700_000_000_000, Frame(stream, content, records))


def _spool(directory: Path, *, max_bytes: int = 1 << 20, repeatable: bool = False) -> Spool:
    return Spool(directory, max_bytes, lambda _entry: repeatable)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    one = _spool(tmp_path)
    yield one
    one.close()


def _contents(directory: Path) -> list[bytes]:
    files = sorted(directory.glob("*.sealed")) + sorted(directory.glob("*.open"))
    return [entry.frame.content for path in files for entry in frames.read(path)]


def test_what_is_acknowledged_is_on_disk(spool: Spool) -> None:
    spool.append([_entry(b"one"), _entry(b"two", key=7, records=3)]).result(10)
    [path] = [*spool.directory.glob("*.open"), *spool.directory.glob("*.sealed")]
    first, second = frames.read(path)
    assert (first.frame.content, second.frame.content) == (b"one", b"two")
    assert (second.key, second.frame.records, second.protocol, second.frame.stream) == (7, 3, "test", "s")
    assert second.received_ms == 1_700_000_000_000


def test_a_segment_is_sealed_after_a_while(spool: Spool) -> None:
    spool.append([_entry(b"one")]).result(10)
    deadline = time.monotonic() + 10
    while not spool.sealed() and time.monotonic() < deadline:
        spool.wait(0.1)
    assert len(spool.sealed()) == 1
    spool.loaded(spool.sealed()[0])
    assert spool.used_bytes == 0


def test_it_gathers_longer_when_told_so_but_not_while_somebody_waits(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1 << 20, lambda _entry: False, gather_seconds=60)
    spool.append([_entry(b"one")]).result(10)
    time.sleep(1.0)
    assert spool.sealed() == []
    began = time.monotonic()
    spool.hurry(5)
    while not spool.sealed() and time.monotonic() - began < 5:
        spool.wait(0.05)
    assert len(spool.sealed()) == 1
    spool.close()


def test_it_keeps_growing_while_the_loader_is_busy(tmp_path: Path) -> None:
    spool = _spool(tmp_path)
    spool.wait_while(busy=lambda: True, idle=lambda: False)
    spool.append([_entry(b"one")]).result(10)
    time.sleep(1.2)
    spool.append([_entry(b"two")]).result(10)
    assert spool.sealed() == []
    spool.close()
    assert _contents(tmp_path) == [b"one", b"two"]
    assert len(spool.sealed()) == 1


def test_an_idle_loader_gets_enough_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_ENOUGH_BYTES", 100)
    spool = Spool(tmp_path, 1 << 20, lambda _entry: False, gather_seconds=60)
    idle = False
    spool.wait_while(busy=lambda: False, idle=lambda: idle)
    spool.append([_entry(b"x" * 200)]).result(10)
    assert spool.sealed() == []
    idle = True
    spool.append([_entry(b"little more")]).result(10)
    wait_until(spool.sealed, "a sealed segment", 10)
    spool.append([_entry(b"not enough")]).result(10)
    time.sleep(0.3)
    assert len(spool.sealed()) == 1
    spool.close()


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_frame_that_was_cut_off_is_forgotten(tmp_path: Path, cut: int) -> None:
    pieces = b"".join(b"".join(frames.encode(_entry(content))) for content in (b"first", b"second"))
    (tmp_path / "0000000000000007.open").write_bytes(pieces[:-cut])
    spool = _spool(tmp_path)
    spool.close()
    assert _contents(tmp_path) == [b"first"]
    assert (tmp_path / "0000000000000007.sealed").stat().st_size == len(b"".join(frames.encode(_entry(b"first"))))


def test_a_garbled_frame_ends_the_segment(tmp_path: Path) -> None:
    pieces = bytearray(b"".join(b"".join(frames.encode(_entry(content))) for content in (b"first", b"second")))
    pieces[-3] ^= 0xFF
    (tmp_path / "0000000000000007.open").write_bytes(pieces)
    _spool(tmp_path).close()
    assert _contents(tmp_path) == [b"first"]


def test_an_empty_segment_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "0000000000000007.open").write_bytes(b"\x05\x00")
    _spool(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_never_used_again(tmp_path: Path) -> None:
    """A number is the insert's token: used twice, other rows would be taken for a copy."""
    names = set()
    for _round in range(3):
        spool = _spool(tmp_path)
        spool.append([_entry(b"x")]).result(10)
        spool.close()
        [path] = spool.sealed()
        assert path.name not in names
        names.add(path.name)
        spool.loaded(path)
        time.sleep(0.002)


def test_over_its_limit_it_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    spool = _spool(tmp_path, max_bytes=1000)
    spool.append([_entry(b"x" * 800)]).result(10)
    with pytest.raises(SpoolFull, match="wait for the telemetry engine"):
        spool.append([_entry(b"y" * 300)])
    spool.close()
    assert _contents(tmp_path) == [b"x" * 800]


def test_a_disk_that_refuses_is_told_to_senders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = _spool(tmp_path)
    spool.append([_entry(b"before")]).result(10)

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", refuse)
        with pytest.raises(SpoolFull, match="disk is full"):
            spool.append([_entry(b"during")]).result(10)
    spool.append([_entry(b"after")]).result(10)
    spool.close()
    assert _contents(tmp_path) == [b"before", b"after"]


def test_the_same_bytes_of_a_protocol_with_ids_are_kept_once(tmp_path: Path) -> None:
    spool = _spool(tmp_path, repeatable=True)
    for _again in range(3):
        spool.append([_entry(b"one"), _entry(b"two")]).result(10)
    spool.append([_entry(b"one", key=2)]).result(10)
    spool.close()
    assert _contents(tmp_path) == [b"one", b"two", b"one"]
    assert spool.repeated == 4


def test_a_repeat_after_a_crash_is_known(tmp_path: Path) -> None:
    (tmp_path / "0000000000000007.open").write_bytes(b"".join(frames.encode(_entry(b"one"))))
    spool = _spool(tmp_path, repeatable=True)
    spool.append([_entry(b"one")]).result(10)
    spool.close()
    assert _contents(tmp_path) == [b"one"]


def test_numbers_rise_although_the_clock_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for years_back in (0, 30, 10):
        monkeypatch.setattr("quarterdeck.intake.spool.numbers.time.time", lambda y=years_back: NOW - y * 31_557_600)
        spool = _spool(tmp_path)
        spool.append([_entry(b"x")]).result(10)
        spool.close()
        [path] = spool.sealed()
        found.append(int(path.stem, 16))
        spool.loaded(path)
    assert found == sorted(set(found))


def test_numbers_rise_when_those_set_aside_are_used_up(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path, 0)
    found = [numbers.next() for _ in range(100_003)]
    assert found == sorted(set(found))
    assert Numbers(tmp_path, 0).next() > found[-1]


@pytest.mark.parametrize("content", [b"", b"abc", b"\xff\xfe", b"9" * 5000])
def test_a_garbled_number_is_no_reason_not_to_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "numbers").write_bytes(content)
    spool = _spool(tmp_path)
    spool.append([_entry(b"one")]).result(10)
    spool.close()
    assert _contents(tmp_path) == [b"one"]


def test_a_second_intake_is_refused(tmp_path: Path) -> None:
    first = _spool(tmp_path)
    with pytest.raises(Unavailable, match="another intake uses the spool"):
        _spool(tmp_path)
    first.close()
    _spool(tmp_path).close()


def test_strange_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.sealed").write_text("mine")
    (tmp_path / "zz.open").write_text("mine")
    (tmp_path / "00000000000000ab.sealed").mkdir()
    spool = _spool(tmp_path)
    spool.append([_entry(b"one")]).result(10)
    spool.close()
    assert len(spool.sealed()) == 1
    assert (tmp_path / "notes.sealed").read_text() == (tmp_path / "zz.open").read_text() == "mine"


@pytest.mark.parametrize("refused", ["ftruncate", "writev", "fdatasync"])
def test_it_goes_on_after_any_call_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str) -> None:
    """A disk that turns read-only refuses to cut as well: nothing hangs, nothing comes twice."""
    spool = _spool(tmp_path)
    spool.append([_entry(b"before")]).result(10)
    with monkeypatch.context() as patch:
        for name in {refused, "fdatasync", "ftruncate"}:
            patch.setattr(os, name, _refuse)
        for _again in range(3):
            with pytest.raises(SpoolFull):
                spool.append([_entry(b"during")]).result(10)
        # Long enough for it to be due to be sealed meanwhile.
        time.sleep(1)
    spool.append([_entry(b"after")]).result(10)
    spool.close()
    assert _contents(tmp_path) == [b"before", b"after"]


def test_a_segment_that_cannot_be_sealed_is_sealed_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = _spool(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", _refuse)
        spool.append([_entry(b"one")]).result(10)
        time.sleep(1.2)
        assert spool.sealed() == []
    spool.append([_entry(b"two")]).result(10)
    spool.close()
    assert _contents(tmp_path) == [b"one", b"two"]
    assert len(spool.sealed()) == 1


def test_what_is_written_in_part_is_written_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_write = os.write
    monkeypatch.setattr(os, "writev", lambda file, pieces: whole_write(file, b"".join(pieces)[:7]))
    monkeypatch.setattr(os, "write", lambda file, data: whole_write(file, bytes(data)[:5]))
    spool = _spool(tmp_path)
    spool.append([_entry(b"one" * 20), _entry(b"two")]).result(10)
    spool.close()
    assert _contents(tmp_path) == [b"one" * 20, b"two"]


def test_a_sender_that_leaves_stops_nobody(spool: Spool) -> None:
    """A call that is cancelled must not end the thread that writes for all."""

    async def leave() -> None:
        waiting = asyncio.ensure_future(asyncio.wrap_future(spool.append([_entry(b"left")])))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    for _ in range(20):
        asyncio.run(leave())
    spool.append([_entry(b"stayed")]).result(10)
    assert _contents(spool.directory) == [b"left"] * 20 + [b"stayed"]


def test_a_repeat_is_not_acknowledged_before_the_first_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several repeats in one request each has its own first, and each of those has to be on the disk."""
    spool = _spool(tmp_path, repeatable=True)
    goes_on = threading.Event()
    sync = os.fdatasync
    fails = iter([True])

    def slow(file: int) -> None:
        goes_on.wait(10)
        if next(fails, False):
            raise OSError(28, "No space left on device")
        sync(file)

    monkeypatch.setattr(os, "fdatasync", slow)
    first = spool.append([_entry(b"one")])
    while spool._waiting:
        time.sleep(0.01)
    second = spool.append([_entry(b"two")])
    repeat = spool.append([_entry(b"one"), _entry(b"two"), _entry(b"three")])
    assert not repeat.done()
    goes_on.set()
    second.result(10)
    for future in (first, repeat):
        with pytest.raises(SpoolFull):
            future.result(10)
    spool.append([_entry(b"one"), _entry(b"two"), _entry(b"three")]).result(10)
    spool.close()
    assert sorted(_contents(tmp_path)) == [b"one", b"three", b"two"]


def test_a_repeat_is_noted_once(tmp_path: Path) -> None:
    """Counted twice, it would wait for the engine for ever in the figures."""
    noted: list[int] = []
    spool = Spool(tmp_path, 1 << 20, lambda _: True, lambda entries, failure: noted.append(len(entries)))
    for _again in range(2):
        spool.append([_entry(b"one"), _entry(b"two")]).result(10)
    spool.close()
    assert noted == [2]


@given(st.binary(max_size=300), st.integers(0, 200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_read_to_its_last_whole_frame(tmp_path: Path, junk: bytes, at: int) -> None:
    path = tmp_path / "0000000000000001.sealed"
    good = b"".join(frames.encode(_entry(b"good")))
    path.write_bytes(good + junk)
    found = [entry.frame.content for entry in frames.read(path)]
    assert found[:1] == [b"good"]
    assert frames.tail(path) == (junk if found == [b"good"] else frames.tail(path))
    garbled = bytearray(good * 3)
    garbled[at % len(garbled)] ^= 0x55
    path.write_bytes(garbled)
    assert len(list(frames.read(path))) == (at % len(garbled)) // len(good)


def _refuse(*_: object) -> int:
    raise OSError(30, "Read-only file system")
