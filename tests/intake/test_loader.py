"""The loader with an engine that fails in chosen ways: nothing is loaded twice, nothing is given up too early."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.lab.parts import wait_until

from quarterdeck.core.errors import Unavailable
from quarterdeck.intake import loader as loading
from quarterdeck.intake.counters import Counters
from quarterdeck.intake.loader import Loader
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.writer import Spool
from quarterdeck.telemetry import client
from quarterdeck.telemetry.loading import NotReadable
from quarterdeck.telemetry.receiving import Frame

Load = Callable[[list[bytes]], None]


class _Engine:
    """Stores inserts by token as the real one does; `fails` raises for contents that it does not like."""

    def __init__(self, fails: Load) -> None:
        self.fails = fails
        self.stored: list[bytes] = []
        self._tokens: set[str] = set()

    def load(self, found: Sequence[Frame], origin: Any, token: str, rules: Any = ()) -> None:
        contents = [frame.content for frame in found]
        self.fails(contents)
        if token not in self._tokens:
            self._tokens.add(token)
            self.stored += contents


@contextmanager
def _loading(directory: Path, engine: _Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Spool, Counters]]:
    monkeypatch.setattr(loading, "load", engine.load)
    monkeypatch.setattr(client, "client", lambda: None)
    monkeypatch.setattr(loading, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(loading, "_LONGEST_WAIT_SECONDS", 0.02)
    counters = Counters(directory / "counters.json")
    spool = Spool(directory, 1 << 20, lambda _: False)
    spool.note = lambda entries, failure: counters.spooled(entries)
    one = Loader(spool, counters, lambda _key: {}, list)
    one.start()
    try:
        yield spool, counters
    finally:
        spool.close()
        one.close()


def _send(spool: Spool, contents: Sequence[bytes], key: int = 0) -> None:
    spool.append([Entry("p", key, 1, Frame("s", content, 1)) for content in contents]).result(10)


def _empty(spool: Spool) -> None:
    wait_until(lambda: spool.used_bytes == 0, "an empty spool", 20)


def test_a_half_that_is_stored_is_not_stored_again_with_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole is too heavy, one half goes in, the engine is away for the other, and then the whole would go in."""
    calls: list[int] = []

    def fails(contents: list[bytes]) -> None:
        calls.append(len(contents))
        if len(calls) == 1:
            raise client.TooHeavy("memory")
        if len(calls) == 3:
            raise Unavailable("away")

    engine = _Engine(fails)
    with _loading(tmp_path, engine, monkeypatch) as (spool, counters):
        _send(spool, [b"a", b"b", b"c", b"d"])
        _empty(spool)
        [row] = counters.rows()
    assert sorted(engine.stored) == [b"a", b"b", b"c", b"d"]
    assert calls[:3] == [4, 2, 2]
    assert (row["spooled"], row["loaded"], row["dead"], row["lag_seconds"]) == (4, 4, 0, 0)


def test_a_group_is_counted_once_although_another_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter(range(5))

    def fails(contents: list[bytes]) -> None:
        if b"late" in contents and next(left, None) is not None:
            raise Unavailable("away")

    engine = _Engine(fails)
    with _loading(tmp_path, engine, monkeypatch) as (spool, counters):
        spool.append([Entry("p", key, 1, Frame("s", c, 1)) for key, c in ((1, b"early"), (2, b"late"))]).result(10)
        _empty(spool)
        found = {row["key"]: row["loaded"] for row in counters.rows()}
    assert found == {1: 1, 2: 1}


def test_bad_frames_are_found_and_buried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(contents: list[bytes]) -> None:
        if b"bad" in contents:
            raise NotReadable("not mine")

    engine = _Engine(fails)
    good = [f"{n}".encode() for n in range(30)]
    with _loading(tmp_path, engine, monkeypatch) as (spool, counters):
        _send(spool, [*good[:3], b"bad", *good[3:], b"bad"])
        _empty(spool)
        [row] = counters.rows()
    assert sorted(engine.stored) == sorted(good)
    assert (row["loaded"], row["dead"]) == (30, 2)
    assert [path.read_bytes() for path in (tmp_path / "dead").glob("*.frame")] == [b"bad", b"bad"]


def test_a_frame_is_given_time_before_it_is_too_heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine may be short of memory for a while: that is not the frame's fault."""
    left = iter(range(5))

    def fails(contents: list[bytes]) -> None:
        if b"giant" in contents or next(left, None) is not None:
            raise client.TooHeavy("memory")

    engine = _Engine(fails)
    with _loading(tmp_path, engine, monkeypatch) as (spool, _counters):
        _send(spool, [b"small"])
        _empty(spool)
        assert engine.stored == [b"small"]
        _send(spool, [b"giant"])
        _empty(spool)
    assert [path.read_bytes() for path in (tmp_path / "dead").glob("*.frame")] == [b"giant"]


def test_a_segment_that_cannot_be_deleted_is_not_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[bytes]] = []
    engine = _Engine(calls.append)
    with _loading(tmp_path, engine, monkeypatch) as (spool, counters):
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "loaded", _read_only)
            _send(spool, [b"one"])
            wait_until(lambda: calls, "the first insert", 20)
            _send(spool, [b"two"])
            wait_until(lambda: len(calls) >= 2, "the second insert", 20)
        _empty(spool)
        [row] = counters.rows()
    assert engine.stored == [b"one", b"two"]
    assert row["loaded"] == 2


def _read_only(*_: object) -> None:
    raise OSError(30, "Read-only file system")
