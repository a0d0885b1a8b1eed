"""Answers that are made in threads while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from quarterdeck.core import streams


def test_each_block_is_made_with_a_whole_connection_to_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(streams, "close_old_connections", lambda: told.append("looked at"))

    def blocks() -> Iterator[bytes]:
        for block in (b"1", b"", b"2"):
            told.append(f"made {block.decode()}")
            yield block

    async def sent() -> list[bytes]:
        return [block async for block in streams.in_background(blocks())]

    assert asyncio.run(sent()) == [b"1", b"2"]
    assert told[:6] == ["looked at", "made 1", "looked at", "looked at", "made ", "looked at"]


def test_a_name_of_a_download_is_the_hosts() -> None:
    assert streams.disposition("[") == 'attachment; filename="["'
    assert streams.disposition("日志.txt") == "attachment; filename*=utf-8''%E6%97%A5%E5%BF%97.txt"
