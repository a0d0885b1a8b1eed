"""Variables in queries become their values."""

from __future__ import annotations

import pytest

from quarterdeck.monitoring.dashboards.placing import time_values, with_values
from quarterdeck.telemetry.promql.parsing import parse

VALUES = {"host": "web1", "hosts": ["web1", "db.example"], "one": ["a.b"], "quoted": 'a"} or up{b="'}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('up{host="$host"}', 'up{host="web1"}'),
        ('up{host="${host}"}', 'up{host="web1"}'),
        ('up{host="[[host]]"}', 'up{host="web1"}'),
        ('up{host=~"$hosts"}', 'up{host=~"(web1|db\\\\.example)"}'),
        ('up{host=~"${one}"}', 'up{host=~"a\\\\.b"}'),
        ('up{host=~"${hosts:pipe}"}', 'up{host=~"web1|db.example"}'),
        ('up{host=~"${one:raw}"}', 'up{host=~"a.b"}'),
        ('up{host=~"${hosts:csv}"}', 'up{host=~"web1,db.example"}'),
        ("rate(x[$__rate_interval])", "rate(x[120s])"),
        ("rate(x[${__interval}])", "rate(x[15s])"),
        ("x * $__range_s", "x * 3600"),
        ('label_replace(up, "a", "$1", "b", "(.*)")', 'label_replace(up, "a", "$1", "b", "(.*)")'),
        ("$hostname", "$hostname"),
    ],
)
def test_values_are_put_in(text: str, expected: str) -> None:
    assert with_values(text, {**VALUES, **time_values(3600, 15)}) == expected


def test_a_value_cannot_leave_its_string() -> None:
    text = with_values('up{host="$quoted"}', VALUES)
    assert parse(text).matchers.matchers[0].value == VALUES["quoted"]
    assert parse(with_values('up{host=~"${quoted:regex}"}', VALUES)).name == "up"


def test_a_rate_sees_four_points() -> None:
    assert time_values(86400, 300)["__rate_interval"] == "1200s"
