"""How values are written for people, and what differs between two of them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.inventory.queries import Moment
from quarterdeck.web.differences import MAX_PARTS, difference
from quarterdeck.web.formatting import as_code, as_percent, duration, in_bytes, plain, with_unit
from quarterdeck.web.items.figures import POINTS, step_seconds, usage
from quarterdeck.web.items.listing import marked, narrowed
from quarterdeck.web.items.values import labels_of
from quarterdeck.web.overview.happenings import happenings
from quarterdeck.web.templatetags import qd


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KiB"), (17179869184, "16 GiB"), (None, "–")],
)
def test_bytes_are_written_in_the_unit_that_reads_best(value: int | None, text: str) -> None:
    assert in_bytes(value).replace("1023", "1,023") == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0.4 s"), (61, "1 min 1 s"), (90061, "1 d 1 h"), (None, "–")])
def test_durations_have_two_units(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_ratios_are_percent() -> None:
    assert (as_percent(0.5), as_percent(0.0123)) == ("50%", "1.2%")


def test_units_follow_the_number() -> None:
    assert (with_unit(2048, "bytes"), with_unit(3, "V"), with_unit(12, "%")) == ("2 KiB", "3 V", "12%")


def test_nothing_is_a_dash_and_false_is_not_nothing() -> None:
    assert (plain(None), plain([]), plain(False), plain(0)) == ("–", "–", "no", "0")


def test_ports_and_process_ids_are_not_grouped() -> None:
    assert as_code(14878) == "14878"


def test_a_list_shows_only_what_differs() -> None:
    parts = difference(["a", "b", "c"], ["a", "c", "d"])
    assert [(part.tag, part.text) for part in parts if part.tag != "skipped"] == [("removed", "b"), ("added", "d")]


def test_a_huge_list_is_counted_rather_than_compared() -> None:
    parts = difference(list(range(MAX_PARTS + 1)), [])
    assert [part.tag for part in parts] == ["removed", "added"]


@pytest.mark.parametrize("seconds", [900, 3600, 86400, 15 * 86400])
def test_a_chart_has_about_as_many_points_as_it_has_pixels(seconds: int) -> None:
    assert seconds / step_seconds(seconds) <= POINTS * 1.25


def test_use_of_processors_is_what_idle_leaves() -> None:
    idle = [SimpleNamespace(labels={"cpu": str(n), "state": "idle"}, value=value) for n, value in enumerate((0.5, 0.7))]
    values = {"system_cpu_utilization_ratio": idle}
    assert usage(values) == {"cpu": pytest.approx(0.4), "memory": None}  # type: ignore[arg-type]


def test_a_position_outside_of_the_query_marks_nothing() -> None:
    assert marked("a", BadQuery("x", position=9)) is None
    assert marked("a b", BadQuery("x", position=2)) == {"before": "a ", "at": "b", "after": ""}


@pytest.mark.parametrize(("value", "condition"), [("prod", "env:prod"), ("a b", 'env:"a b"')])
def test_a_facet_adds_one_condition(value: str, condition: str) -> None:
    assert narrowed("type:host", "env", value) == f"type:host {condition}"


def test_labels_are_read_from_lines() -> None:
    assert labels_of("a=1\n\n b = x=y ") == {"a": "1", "b": "x=y"}
    with pytest.raises(BadInput):
        labels_of("=1")


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", " javascript:x", "//x"])
def test_only_web_addresses_are_linked(address: str) -> None:
    assert qd.safe_link(address) == "#"


def test_an_icon_that_is_not_drawn_is_a_box() -> None:
    assert qd.icon("../../x").endswith('#box"></use></svg>')


def test_what_one_call_did_to_many_items_is_one_line() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    made = [Moment(at, "inventory.created", "info", "", "sync", n, f"h{n}", {"change_set": 1}) for n in range(5)]
    event = Moment(at, "deploy", "info", "1.2", "ci", 1, "h1", {})
    assert [line.others for line in happenings([event, *made, event], 10)] == [0, 4, 0]
    assert len(list(happenings([event, *made], 1))) == 1
