"""The spool alone: what is acknowledged is there after any end of the process, and nothing else is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarterdeck.intake.spool import frames
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.writer import Spool, SpoolFull
from quarterdeck.telemetry.receiving import Frame


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


def test_it_keeps_growing_while_the_loader_is_busy(tmp_path: Path) -> None:
    spool = _spool(tmp_path)
    spool.wait_while(lambda: True)
    spool.append([_entry(b"one")]).result(10)
    time.sleep(1.2)
    spool.append([_entry(b"two")]).result(10)
    assert spool.sealed() == []
    spool.close()
    assert _contents(tmp_path) == [b"one", b"two"]
    assert len(spool.sealed()) == 1


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
