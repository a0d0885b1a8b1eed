"""Lines as files and as a live tail."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import zlib

import pytest
from tests.logs.lines import ago, hour, line, load
from tests.telemetry.engines import Engine

from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Denied
from quarterdeck.core.streams import gzipped, in_background
from quarterdeck.logs import exporting, queries
from quarterdeck.logs.exporting import export

pytestmark = [pytest.mark.slow, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def _empty(logs: Engine) -> None:
    return


def test_lines_are_exported_whole_and_in_order(stranger: Actor) -> None:
    load(line("x" * 100_000, ago(minutes=2), attributes={"a": "1"}), line('=cmd("x")\n\x1b[31m', ago(minutes=1)))
    rows = [json.loads(one) for one in b"".join(export(SYSTEM, hour())).splitlines()]
    assert [len(row["message"]) for row in rows] == [15, 100_000]
    assert rows[1]["attributes"] == {"a": "1"}
    assert rows[0]["ts"].endswith("Z")
    cells = list(csv.reader(io.StringIO(b"".join(export(SYSTEM, hour(), "csv")).decode(), newline="")))
    assert cells[0][0] == "ts"
    assert cells[1][6] == '\'=cmd("x")\n\x1b[31m'
    assert AuditEvent.objects.filter(verb="logs.export").count() == 2
    with pytest.raises(BadInput):
        export(SYSTEM, hour(), "xlsx")
    with pytest.raises(Denied):
        export(stranger, hour())


def test_an_export_is_in_order_over_all_its_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    # Many at one moment, which no slice divides, and others minutes apart.
    moment = ago(minutes=7)
    load(
        *[line(f"same {number}", moment) for number in range(40)],
        *[line(f"{number}", ago(seconds=30 + 40 * number)) for number in range(60)],
    )
    whole = [json.loads(one)["ts"] for one in b"".join(export(SYSTEM, hour())).splitlines()]
    assert len(whole) == 100
    monkeypatch.setattr(exporting, "_SLICE_ROWS", 7)
    sliced = [json.loads(one)["ts"] for one in b"".join(export(SYSTEM, hour())).splitlines()]
    assert sliced == whole == sorted(whole, reverse=True)
    assert [json.loads(one)["ts"] for one in b"".join(export(SYSTEM, hour(), rows=25)).splitlines()] == whole[:25]
    assert b"".join(export(SYSTEM, hour(), "csv")).count(b"\nts,") == 0


def test_a_large_export_comes_in_blocks() -> None:
    load(*[line(f"{number} {'x' * 300}", ago(seconds=number / 100)) for number in range(20_000)])
    blocks = list(export(SYSTEM, hour()))
    assert len(blocks) > 2
    assert sum(block.count(b"\n") for block in blocks) == 20_000

    async def sent() -> list[bytes]:
        return [block async for block in in_background(iter(blocks))]

    assert b"".join(asyncio.run(sent())) == b"".join(blocks)

    async def packed() -> list[bytes]:
        return [block async for block in gzipped(in_background(iter(blocks)))]

    # One member: what a client that stops behind the first one reads is everything.
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    assert reader.decompress(b"".join(asyncio.run(packed()))) == b"".join(blocks)
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_a_tail_tells_each_new_line_once() -> None:
    load(line("before"))
    tail = queries.tail(SYSTEM, "news -ignored")
    assert tail.poll() == []
    load(line("news one"), line("ignored news"), line("other"))
    load(line("news two, late", ago(minutes=30)))
    assert [one.message for one in tail.poll()] == ["news two, late", "news one"]
    assert tail.poll() == []
    load(line("news three"))
    assert [one.message for one in tail.poll()] == ["news three"]
