"""Messages as RFCs and devices write them, and as nobody should."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.lab.requests import targets_beside

from quarterdeck.telemetry.canonical import LogRow
from quarterdeck.telemetry.receivers.syslog.lines import row_of
from quarterdeck.telemetry.receivers.syslog.sessions import Connection
from quarterdeck.telemetry.receiving import Peer, Refused

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
PEER = Peer("192.0.2.7", 0, lambda: NOW)


def _row(text: str) -> LogRow:
    row = row_of(text.encode(), "192.0.2.7", NOW)
    assert row
    return row


def _ns(text: str) -> int:
    return int((datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1)) * 1000


def test_it_reads_rfc_5424() -> None:
    row = _row(
        "<165>1 2026-06-15T11:59:59.003Z web-1 evntslog 77 ID47 "
        '[exampleSDID@32473 iut="3" eventSource="App\\"s \\] \\\\"][b@1 c="d"] \ufeffAn entry'
    )
    assert (row.ts_ns, row.host, row.service, row.level) == (
        _ns("2026-06-15T11:59:59.003+00:00"),
        "web-1",
        "evntslog",
        "5",
    )
    assert row.message == "An entry"
    assert row.attributes == {
        "exampleSDID@32473.iut": "3",
        "exampleSDID@32473.eventSource": 'App"s ] \\',
        "b@1.c": "d",
        "syslog.msgid": "ID47",
        "syslog.facility": "local4",
        "process.pid": "77",
    }


@pytest.mark.parametrize(
    ("text", "host", "service", "message"),
    [
        ("<13>1 - - - - - -", "192.0.2.7", "", ""),
        ("<13>1 - h a - - - m", "h", "a", "m"),
        ("<13>1 2026-06-15T12:00:00Z h", "h", "", ""),
        ("<13>1 yesterday h a - - [broken m", "h", "a", "[broken m"),
        ("<34>Jun 15 12:00:00 mymachine su: 'su root' failed", "mymachine", "su", "'su root' failed"),
        ("<34>Jun  5 12:00:00 mymachine cron[12]: done", "mymachine", "cron", "done"),
        ("<34>Jun 15 12:00:00 sshd[12]: no host", "192.0.2.7", "sshd", "no host"),
        ("<13>2026-06-15T12:00:00.123456+02:00 h app[1]: m", "h", "app", "m"),
        ("<13>2026-06-15T12:00:00.123456789Z h app: m", "h", "app", "m"),
        ("<189>123: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: Configured", "192.0.2.7", "", "%SYS-5-CONFIG_I: Configured"),
        ("<189>45: r1: 000123: Mar  1 2026 18:46:11.1 UTC: %LINK-3-UPDOWN: x", "r1", "", "%LINK-3-UPDOWN: x"),
        ("<14>myapp: no time, so no tag\0", "192.0.2.7", "", "myapp: no time, so no tag"),
        ("<14>myapp[7]: one", "192.0.2.7", "myapp", "one"),
        ("no priority", "192.0.2.7", "", "no priority"),
        ("<999>too much", "192.0.2.7", "", "<999>too much"),
        ("<13>Jun 31 12:00:00 h a: no such day", "h", "a", "no such day"),
        ("<13>Jun 15 12:00:00", "192.0.2.7", "", ""),
    ],
)
def test_it_reads_what_senders_write(text: str, host: str, service: str, message: str) -> None:
    row = _row(text)
    assert (row.host, row.service, row.message) == (host, service, message)


@pytest.mark.parametrize(
    ("now", "text", "year"),
    [
        ("2026-01-01T00:05:00+00:00", "<13>Dec 31 23:59:00 h a: m", "2025"),
        ("2025-12-31T23:59:00+00:00", "<13>Jan  1 00:01:00 h a: m", "2026"),
        ("2026-06-15T12:00:00+00:00", "<13>Jun 15 11:00:00 h a: m", "2026"),
    ],
)
def test_the_year_is_the_nearest(now: str, text: str, year: str) -> None:
    row = row_of(text.encode(), "h", datetime.fromisoformat(now))
    assert row
    assert str(datetime.fromtimestamp(row.ts_ns / 1e9).astimezone().year) == year


@pytest.mark.parametrize("tag", ["0123456789ab", "web/0123456789ab", "image/web/" + "ab" * 32])
def test_dockers_tag_names_the_container(tag: str) -> None:
    row = _row(f"<30>Jun 15 12:00:00 {tag}[7]: m")
    assert (row.sender.kind, row.sender.name) == ("container", tag.rpartition("/")[2])
    assert row.service == ("web" if "/" in tag else "")


def _messages(*parts: bytes) -> list[str]:
    session = Connection(PEER)
    taken = [one for part in parts for one in session.feed(part)] + list(session.end())
    return [orjson.loads(line)[10] for one in taken for frame in one.frames for line in frame.content.split(b"\n")]


def test_it_frames_by_length_and_by_line_end() -> None:
    counted = b"12 <13>a[1]: on18 <13>a[1]: two\nline"
    assert _messages(*(bytes([byte]) for byte in counted)) == ["on", "two\nline"]
    assert _messages(b"<13>one\n<13>two\r\n<13>thr", b"ee\0<13>last") == ["one", "two", "three", "last"]
    assert _messages(b"<13>one\n11 <13>counted<13>after\n") == ["one", "counted", "after"]
    assert _messages(b"42 is no length\n") == ["42 is no length"]


@pytest.mark.parametrize("data", [b"9999999 <13>x", b"x" * (1 << 20) + b"yy"])
def test_it_refuses_messages_without_end(data: bytes) -> None:
    with pytest.raises(Refused):
        list(Connection(PEER).feed(data))


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=300) | st.text('<>0123456789 []="\\-:JunMar%A', max_size=200).map(str.encode))
@example(b"<13>1 " + b"[a " * 5000)
@example(b"<13>1 - - - - - [a " + b'b="c" ' * 10_000)
@example(b"<13>9999-12-31T23:59:59-23:59 h a: m")
@example(b"<13>Jun 15 0001 12:00:00 h a: m")
@example(b"<13>0001-01-01T00:00:00+23:59 h a: m")
def test_no_bytes_break_it(data: bytes) -> None:
    for target in targets_beside(__file__).values():
        with suppress(Refused):
            target(data)
