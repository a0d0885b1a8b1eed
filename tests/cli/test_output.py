"""What commands print, and that foreign text cannot take over a terminal."""

from __future__ import annotations

import csv
import io
import json
import sys
import tracemalloc
from typing import Any

import pytest
import yaml

from quarterdeck.cli import output
from quarterdeck.cli.output import Format, safe, value_at, write_rows

ROWS = [
    {"id": 1, "name": "web1", "labels": {"role": "web"}, "attributes": {"cpu_count": 8, "a.b": "dotted"}},
    {"id": 2, "name": "数据库", "labels": {}, "attributes": {}},
]
HOSTILE = "web\x1b]0;owned\x07\x1b[2J\u202egnp\x9b31m\r\nname"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(monkeypatch: pytest.MonkeyPatch, rows: Any, format_: Format, *columns: str, tty: bool = False) -> str:
    target = Terminal() if tty else io.StringIO()
    monkeypatch.setattr(sys, "stdout", target)
    write_rows(rows, format_, columns)
    return target.getvalue()


def test_it_finds_values_by_dotted_names() -> None:
    assert value_at(ROWS[0], "labels.role") == "web"
    assert value_at(ROWS[0], "attributes.a.b") == "dotted"
    assert value_at(ROWS[1], "labels.role") is None
    assert value_at(ROWS[0], "name.first") is None


def test_it_shows_every_control_character_as_an_escape() -> None:
    shown = safe(HOSTILE)
    assert shown.isprintable()
    assert shown == "web\\x1b]0;owned\\x07\\x1b[2J\\u202egnp\\x9b31m\\r\\nname"
    assert safe("数据库 ü") == "数据库 ü"


@pytest.mark.parametrize("format_", list(Format))
def test_it_never_prints_a_control_character_to_a_terminal(monkeypatch: pytest.MonkeyPatch, format_: Format) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(monkeypatch, [{"id": 1, "name": HOSTILE}], format_, "id", "name", tty=True)
    assert text.replace("\n", "").isprintable()


def test_it_aligns_columns_also_with_wide_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.cells import cell_len

    lines = printed(monkeypatch, ROWS, Format.TABLE, "name", "id").splitlines()
    assert [cell_len(line) for line in lines] == [cell_len("NAME    ID"), cell_len("web1    1"), cell_len("web1    1")]


def test_it_prints_json_that_holds_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(printed(monkeypatch, ROWS, Format.JSON, "id")) == ROWS
    hostile = [{"name": HOSTILE}]
    assert json.loads(printed(monkeypatch, hostile, Format.JSON, "name")) == hostile


def test_it_prints_yaml_that_holds_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert yaml.safe_load(printed(monkeypatch, ROWS, Format.YAML, "id")) == ROWS
    hostile = [{"name": HOSTILE}]
    assert yaml.safe_load(printed(monkeypatch, hostile, Format.YAML, "name")) == hostile


@pytest.mark.parametrize(("format_", "expected"), [(Format.JSON, "[]\n"), (Format.YAML, "[]\n"), (Format.CSV, "id\n")])
def test_it_prints_an_empty_list_that_still_parses(
    monkeypatch: pytest.MonkeyPatch, format_: Format, expected: str
) -> None:
    assert printed(monkeypatch, [], format_, "id") == expected


def test_it_prints_csv_without_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": "=HYPERLINK(1)", "n": -5}, {"name": 'a "b", c\nd', "n": None}]
    found = list(csv.reader(io.StringIO(printed(monkeypatch, rows, Format.CSV, "name", "n"))))
    assert found == [["name", "n"], ["'=HYPERLINK(1)", "-5"], ['a "b", c\nd', ""]]


def test_it_colours_only_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    rows = [{"state": "running"}]
    assert "\x1b[" in printed(monkeypatch, rows, Format.TABLE, "state", tty=True)
    assert "\x1b[" not in printed(monkeypatch, rows, Format.TABLE, "state")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in printed(monkeypatch, rows, Format.TABLE, "state", tty=True)


class Sink(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


def peak_bytes(format_: Format, count: int) -> int:
    rows = ({"id": index, "name": f"host-{index}" * 20} for index in range(count))
    tracemalloc.start()
    write_rows(rows, format_, ("id", "name"))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("format_", list(Format))
def test_it_prints_lists_of_any_length_in_the_same_memory(monkeypatch: pytest.MonkeyPatch, format_: Format) -> None:
    monkeypatch.setattr(sys, "stdout", Sink())
    peak_bytes(format_, 500)
    assert peak_bytes(format_, 4_000) < 1.2 * peak_bytes(format_, 500) + 20_000


def test_it_shows_one_record_with_dotted_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    target = io.StringIO()
    monkeypatch.setattr(sys, "stdout", target)
    output.write_record({"id": 1, "labels": {"role": "web"}, "empty": {}}, Format.TABLE)
    lines = [line.split() for line in target.getvalue().splitlines()]
    assert lines == [["FIELD", "VALUE"], ["id", "1"], ["labels.role", "web"], ["empty"]]
