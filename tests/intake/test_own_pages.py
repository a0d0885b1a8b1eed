"""What the other processes ask of the intake: dead letters are shown, retried once, deleted; strangers get nothing."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.lab.parts import wait_until

from quarterdeck.intake.counters import Counters
from quarterdeck.intake.gate import Busy, Gate
from quarterdeck.intake.keyring import Key, Keyring
from quarterdeck.intake.own_pages import OwnPages
from quarterdeck.intake.spool import dead, frames
from quarterdeck.intake.spool.frames import Entry
from quarterdeck.intake.spool.writer import Spool
from quarterdeck.telemetry.receiving import Frame, Request

NAME = "000001a2193250ae-0d3cdad8-000000"
ENTRY = Entry("otlp", 3, 1_700_000_000_000, Frame("otlp.logs", b"\x0a\xff broken", 7))


@dataclass
class Desk:
    pages: Mapping[str, Any]
    spool: Spool
    counters: Counters

    @property
    def directory(self) -> Path:
        return self.spool.directory / "dead"

    def ask(self, method: str, path: str, body: Any = None, password: str = "right", **query: str) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {password}"}
        content = b"" if body is None else orjson.dumps(body)
        answer = self.pages[path](Request(method, {}, query, headers, content, "127.0.0.1", datetime.now(UTC)))
        return answer.status, orjson.loads(answer.body)

    def kept(self) -> list[Entry]:
        self.spool.close()
        return [entry for path in self.spool.sealed() for entry in frames.read(path)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    spool = Spool(tmp_path / "spool", 1 << 20, lambda entry: True)
    counters = Counters(tmp_path / "counters.json")
    found = Desk(
        OwnPages("right", lambda: {"rows": []}, spool, counters, lambda known, seconds: 3).pages(), spool, counters
    )
    dead.bury(found.directory, NAME, ENTRY, "cannot be read")
    yield found
    spool.close()


@pytest.mark.parametrize("password", ["", "wrong", "rightt", "é"])
def test_a_stranger_is_refused_every_page(desk: Desk, password: str) -> None:
    for path in desk.pages:
        for method in ("GET", "POST"):
            assert desk.ask(method, path, {"names": [NAME]}, password=password, name=NAME)[0] == 401
    assert dead.letter(desk.directory, NAME) is not None


def test_who_asks_for_what_was_stored_makes_the_spool_hurry(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", 1 << 20, lambda entry: True, gather_seconds=60)
    pages = OwnPages(
        "right", dict, spool, Counters(tmp_path / "counters.json"), lambda known, seconds: known + 1
    ).pages()
    desk = Desk(pages, spool, Counters(tmp_path / "counters.json"))
    spool.append([ENTRY]).result(5)
    assert desk.ask("GET", "/intake/stored", known="41") == (200, {"stored": 42})
    assert desk.ask("GET", "/intake/stored", known="x") == (200, {"stored": 0})
    wait_until(spool.sealed, "a segment that did not wait for a minute")
    spool.close()


def test_a_letter_is_listed_and_shown_as_it_came(desk: Desk) -> None:
    [row] = desk.ask("GET", "/intake/dead")[1]["letters"]
    assert (row["name"], row["stream"], row["records"], row["bytes"], row["reason"]) == (
        NAME, "otlp.logs", 7, 9, "cannot be read",
    )  # fmt: skip
    status, shown = desk.ask("GET", "/intake/dead/letter", name=NAME)
    assert (status, base64.b64decode(shown["content"])) == (200, ENTRY.frame.content)


@pytest.mark.parametrize("name", ["", "nothing", "../../secrets/engine", "000001a2193250ae-0d3cdad8-000001", "a/b"])
def test_a_name_of_no_letter_reaches_no_file(desk: Desk, name: str) -> None:
    (desk.directory.parent / "secret.json").write_text("{}")
    assert desk.ask("GET", "/intake/dead/letter", name=name)[0] == 404
    assert desk.ask("POST", "/intake/dead/delete", {"names": [name, "../secret"]})[1] == {
        "done": [],
        "missing": [name, "../secret"],
    }
    assert (desk.directory.parent / "secret.json").exists()


@pytest.mark.parametrize("body", [None, [], {"names": 3}, {"name": []}, "x"])
def test_a_body_without_names_is_refused(desk: Desk, body: Any) -> None:
    assert desk.ask("POST", "/intake/dead/retry", body)[0] == 400


def test_a_retried_letter_is_in_the_spool_once_and_dead_no_more(desk: Desk) -> None:
    desk.spool.append([ENTRY]).result(5)
    desk.counters.spooled([ENTRY])
    desk.counters.done([ENTRY], dead=True)
    assert desk.ask("POST", "/intake/dead/retry", {"names": [NAME, NAME]})[1] == {"done": [NAME], "missing": [NAME]}
    [row] = desk.counters.rows()
    assert (row["accepted"], row["spooled"], row["dead"]) == (7, 7, 0)
    assert row["lag_seconds"] >= 0
    # The first is what was sent, the second what was retried: the same bytes, not taken for a repetition.
    assert desk.kept() == [ENTRY, ENTRY]
    assert desk.ask("GET", "/intake/dead")[1] == {"letters": []}


def test_a_letter_of_a_protocol_that_is_gone_stays(desk: Desk) -> None:
    gone = "000001a2193250ae-0d3cdad8-000009"
    dead.bury(desk.directory, gone, Entry("old", 0, 1, Frame("old.stream", b"x", 1)), "?")
    status, answer = desk.ask("POST", "/intake/dead/retry", {"names": [gone]})
    assert (status, "old.stream" in answer["status"]) == (409, True)
    assert dead.letter(desk.directory, gone) is not None


def test_a_deleted_letter_is_gone(desk: Desk) -> None:
    assert desk.ask("POST", "/intake/dead/delete", {"names": [NAME]})[1]["done"] == [NAME]
    assert list(desk.directory.iterdir()) == []


def test_half_a_letter_is_left_out(desk: Desk) -> None:
    (desk.directory / "000001a2193250ae-0d3cdad8-000002.json").write_bytes(b"{")
    (desk.directory / "000001a2193250ae-0d3cdad8-000002.frame").write_bytes(b"x")
    (desk.directory / "000001a2193250ae-0d3cdad8-000003.json").write_bytes(b"{}")
    assert len(desk.ask("GET", "/intake/dead")[1]["letters"]) == 1


def test_a_keys_day_is_used_up_and_is_remembered_by_the_next_process(desk: Desk, tmp_path: Path) -> None:
    key = Key(3, "lab", "", frozenset(), {}, (), 0, records_per_day=10)
    gate = Gate(desk.spool, Keyring(lambda: [key], is_loopback_open=True), desk.counters)
    gate.keep("otlp", key, [Frame("otlp.logs", b"one", 7)]).result(5)
    with pytest.raises(Busy) as caught:
        gate.keep("otlp", key, [Frame("otlp.logs", b"two", 7)])
    assert (caught.value.status, caught.value.reason) == (429, "quota")
    assert 0 < caught.value.retry_after_seconds <= 86_400
    gate.keep("otlp", key, [Frame("otlp.logs", b"three", 3)]).result(5)
    assert desk.counters.today(3) == 10
    desk.counters.save()
    assert Counters(tmp_path / "counters.json").today(3) == 10
    yesterday = Entry("otlp", 4, int(time.time() - 86_400) * 1000, Frame("otlp.logs", b"", 5))
    desk.counters.spooled([yesterday])
    assert desk.counters.today(4) == 0
