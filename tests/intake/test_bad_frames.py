"""Frames that the engine cannot read, and files that a disk garbled: good ones are stored once, bad ones are kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.intake.processes import Road, road

from quarterdeck.intake.counters import Counters
from quarterdeck.intake.spool import frames
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.splits import Splits
from quarterdeck.telemetry.canonical import LogRow, MetricRow, frame_of_logs, frame_of_metrics
from quarterdeck.telemetry.protos import define
from quarterdeck.telemetry.receivers.prometheus_remote_write.messages import MESSAGES
from quarterdeck.telemetry.receiving import Frame

_WRITE_REQUEST = define("bad_frames", MESSAGES)["WriteRequest"]
GOOD = 40


@pytest.fixture(scope="module")
def one() -> Iterator[Road]:
    with road() as found:
        yield found


def _written(number: int) -> Frame:
    message = _WRITE_REQUEST(
        timeseries=[
            {
                "labels": [{"name": "__name__", "value": "bad_frames_written"}, {"name": "n", "value": str(number)}],
                "samples": [{"value": number, "timestamp": int(time.time() * 1000)}],
            }
        ]
    )
    return Frame("prometheus.write", message.SerializeToString(), 1)


def _row(number: int) -> Frame:
    return frame_of_metrics([MetricRow("bad_frames_rows", {"n": str(number)}, [(int(time.time() * 1000), number)])])


def _line(number: int) -> Frame:
    return frame_of_logs([LogRow(time.time_ns(), f"bad frames {number}")])


def _put(one: Road, name: str, found: list[Frame]) -> Path:
    """Leave a segment as a predecessor would have."""
    path = one.data / "spool" / f"{name}.sealed"
    now_ms = int(time.time() * 1000)
    path.write_bytes(b"".join(b"".join(frames.encode(Entry("test", 0, now_ms, frame))) for frame in found))
    return path


def _restarted(one: Road) -> None:
    one.start_intake()
    one.wait_for_intake()
    one.wait_until_empty()


def _dead(one: Road) -> dict[str, dict[str, object]]:
    return {path.stem: json.loads(path.read_text()) for path in (one.data / "spool" / "dead").glob("*.json")}


def _stop(one: Road) -> None:
    assert one.intake is not None
    one.intake.terminate()
    assert one.intake.wait(30) == 0


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_good_ones_are_stored_once_and_the_bad_are_kept_with_the_reason(one: Road) -> None:
    bad = {"prometheus.write": b"\x0a\x7fno such message", "rows.metrics": b"[1, 2", "rows.logs": b'{"not": "a row"}'}
    _stop(one)
    found = [make(number) for number in range(GOOD) for make in (_written, _row, _line)]
    for at, (stream, content) in zip((7, 50, 110), bad.items(), strict=True):
        found.insert(at, Frame(stream, content, 1))
    found.append(Frame("nobody.knows", b"of a receiver that is gone", 2))
    _put(one, f"{1:016x}", found)
    _restarted(one)
    for metric in ("bad_frames_written", "bad_frames_rows"):
        rows = one.sql(
            "SELECT value FROM samples WHERE id IN (SELECT id FROM series WHERE metric_name ="
            f" '{metric}') ORDER BY value"
        )
        assert [row["value"] for row in rows] == list(range(GOOD)), metric
    lines = one.sql("SELECT message FROM logs WHERE message LIKE 'bad frames %'")
    assert sorted(row["message"] for row in lines) == sorted(f"bad frames {number}" for number in range(GOOD))
    dead = {str(facts["stream"]): (name, facts) for name, facts in _dead(one).items()}
    assert dead.keys() == {*bad, "nobody.knows"}
    for stream, content in bad.items():
        name, facts = dead[stream]
        assert (one.data / "spool" / "dead" / f"{name}.frame").read_bytes() == content
        assert "the engine refuses" in str(facts["reason"])
    assert "no receiver has a stream" in str(dead["nobody.knows"][1]["reason"])
    [counted] = [row for row in one.status()["rows"] if row["protocol"] == "test"]
    assert (counted["loaded"], counted["dead"], counted["lag_seconds"]) == (3 * GOOD, 5, 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_corrupt_files_stop_nothing(one: Road) -> None:
    _stop(one)
    spool = one.data / "spool"
    path = _put(one, f"{2:016x}", [_line(1001), _line(1002), _line(1003)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    (spool / f"{3:016x}.sealed").write_bytes(b"")
    (spool / f"{4:016x}.sealed").write_bytes(b"\xff" * 5000)
    (spool / f"{5:016x}.open").write_bytes(b"\x00" * 5000)
    (spool / "README.sealed").write_text("not a segment")
    (spool / f"{6:016x}.split").write_bytes(b"\xff\xfe")
    (spool / "counters.json").write_text('[{"protocol": 5}]')
    (spool / "numbers").write_text("many")
    _restarted(one)
    assert one.request("POST", "/v1/logs", _otlp_line("after the corrupt files"), _JSON)[0] == 200
    one.wait_until_empty()
    lines = one.sql(
        "SELECT message FROM logs WHERE message LIKE 'bad frames 100%' OR message LIKE 'after the corrupt%'"
    )
    assert sorted(row["message"] for row in lines) == ["after the corrupt files", "bad frames 1001"]
    [kept] = (spool / "dead").glob(f"{2:016x}-*.frame")
    # What was behind the damage is there to be looked at.
    assert b"bad frames 1003" in kept.read_bytes()
    assert "are garbled" in str(_dead(one)[kept.stem]["reason"])


_JSON = {"Content-Type": "application/json"}


def _otlp_line(text: str) -> bytes:
    line = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": text}}
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [line]}]}]}).encode()


def test_what_was_halved_is_halved_again_after_a_crash(tmp_path: Path) -> None:
    segment = tmp_path / "0000000000000001.sealed"
    splits = Splits(segment)
    splits.add("0000000000000001-p-s-0-0-40")
    again = Splits(segment)
    assert "0000000000000001-p-s-0-0-40" in again
    assert "0000000000000001-p-s-0-0-4" not in again
    with segment.with_suffix(".split").open("a") as file:
        file.write("\n0000000000000001-p-s-0-0-2")
    assert "0000000000000001-p-s-0-0-2" not in Splits(segment)
    again.forget()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"[{}]", b'{"a": 1}', b"\xff", b"null", b'[{"key": "x"}]'])
def test_garbled_counts_begin_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "counters.json").write_bytes(content)
    counters = Counters(tmp_path / "counters.json")
    counters.refused("otlp", 1, {"malformed": 1})
    counters.save()
    assert Counters(tmp_path / "counters.json").rows()[0]["refused"] == 1
