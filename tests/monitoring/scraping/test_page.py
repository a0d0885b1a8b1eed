"""What a scrape becomes: labels, marks for series that ended, limits."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from quarterdeck.monitoring.scraping.job import Job
from quarterdeck.monitoring.scraping.page import Page, Report
from quarterdeck.monitoring.scraping.relabel import rules_of
from quarterdeck.monitoring.scraping.targets import Target
from quarterdeck.telemetry.canonical import STALE_BITS
from quarterdeck.telemetry.exposition import parse
from quarterdeck.telemetry.receiving import Refused


def _page(**job: Any) -> Page:
    labels = (("env", "prod"), ("instance", "web1:9100"), ("job", "node"))
    return Page(Target(Job("node", **job), "http://web1:9100/metrics", labels, 15, 10, "17"))


def _rows(lines: list[bytes]) -> dict[tuple[str, tuple[tuple[str, str], ...]], tuple[int, float | str]]:
    """Return `{(metric, labels that the target has not): (ms, value or "stale")}`."""
    own = {"env": "prod", "instance": "web1:9100", "job": "node"}
    found = {}
    for row in map(orjson.loads, lines):
        labels = tuple(sorted((name, value) for name, value in row[4].items() if own.get(name) != value))
        found[row[3], labels] = (row[5][0], "stale" if row[7] == [STALE_BITS] else row[6][0])
    return found


def _read(page: Page, text: str, at_ms: int = 1000) -> dict[Any, Any]:
    return _rows(page.read(parse(text, is_openmetrics=False), at_ms)[0])


def test_samples_carry_the_targets_labels_and_sender() -> None:
    [line] = _page().read(parse('a{x="y"} 1.5', is_openmetrics=False), 1000)[0]
    assert orjson.loads(line) == [
        "instance", "web1:9100", {"instance": "web1:9100", "job": "node", "quarterdeck.item": "17"}, "a",
        {"env": "prod", "instance": "web1:9100", "job": "node", "x": "y"}, [1000], [1.5], [],
    ]  # fmt: skip


def test_labels_that_both_have_are_exported_or_honoured() -> None:
    assert list(_read(_page(honor_labels=True), 'a{job="mine"} 1')) == [("a", (("job", "mine"),))]
    assert list(_read(_page(), 'a{job="mine"} 1')) == [("a", (("exported_job", "mine"),))]
    both = 'a{job="mine",exported_job="other"} 1'
    assert list(_read(_page(), both)) == [("a", (("exported_exported_job", "mine"), ("exported_job", "other")))]


def test_series_that_are_no_more_are_ended_once() -> None:
    page = _page()
    _read(page, "a 1\nb 2\n", 1000)
    assert _read(page, "b 3\nc 4\n", 2000) == {("a", ()): (2000, "stale"), ("b", ()): (2000, 3), ("c", ()): (2000, 4)}
    assert _read(page, "b 3\nc 4\n", 3000) == {("b", ()): (3000, 3), ("c", ()): (3000, 4)}
    assert _rows(page.end(4000)) == {("b", ()): (4000, "stale"), ("c", ()): (4000, "stale")}
    assert page.end(5000) == []
    assert page.read(parse("b 1\nc 1\n", is_openmetrics=False), 6000)[1:] == (2, 2)


def test_series_with_times_of_their_own_are_not_ended() -> None:
    page = _page()
    assert _read(page, "a 1 500\nb 2 600\n") == {("a", ()): (500, 1), ("b", ()): (600, 2)}
    assert _read(page, "b 2 700\n", 2000) == {("b", ()): (700, 2)}
    assert _read(_page(honor_timestamps=False), "a 1 500") == {("a", ()): (1000, 1)}


def test_rules_drop_and_rename_series() -> None:
    rules = rules_of(
        [
            {"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"},
            {"source_labels": ["__name__"], "regex": "old_(.*)", "target_label": "__name__", "replacement": "new_$1"},
            {"regex": "noise", "action": "labeldrop"},
        ],
        "metric_relabel_configs",
    )
    page = _page(metric_relabel=rules)
    lines, kept, added = page.read(parse('go_gc 1\nold_x{noise="1"} 2\n', is_openmetrics=False), 1000)
    assert _rows(lines) == {("new_x", ()): (1000, 2)}
    assert (kept, added) == (1, 1)


def test_a_series_that_comes_twice_counts_once() -> None:
    assert _read(_page(), "a 1\na 2\n") == {("a", ()): (1000, 1)}


@pytest.mark.parametrize(
    ("job", "text"),
    [
        ({"sample_limit": 1}, "a 1\nb 2"),
        ({"label_limit": 4}, 'a{x="y"} 1'),
        ({"label_name_limit": 8}, 'a{long_name="y"} 1'),
        ({"label_value_limit": 9}, 'a{x="0123456789"} 1'),
        ({}, 'a{x="y",x="z"} 1'),
    ],
)
def test_a_page_over_a_limit_is_none(job: dict[str, int], text: str) -> None:
    page = _page(**job)
    with pytest.raises(Refused):
        _read(page, text)
    assert page.end(2000) == []


def test_it_forgets_series_that_never_come_again() -> None:
    page = _page()
    for number in range(50):
        text = "\n".join(f'a{{n="{number}-{one}"}} 1' for one in range(100))
        _read(page, text)
    assert len(page._heads) <= 1300


def test_it_reports_on_the_scrape() -> None:
    assert _rows(_page().report(Report(True, 0.25, 3, 2, 1), 1000)) == {
        ("up", ()): (1000, 1),
        ("scrape_duration_seconds", ()): (1000, 0.25),
        ("scrape_samples_scraped", ()): (1000, 3),
        ("scrape_samples_post_metric_relabeling", ()): (1000, 2),
        ("scrape_series_added", ()): (1000, 1),
    }
