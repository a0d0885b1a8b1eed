"""Relabelling, with what Prometheus' own documentation and tests say of each action."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.monitoring.scraping.relabel import relabelled, rules_of

LABELS = {"a": "foo", "b": "bar", "c": "baz", "__tmp_d": "x"}


@pytest.mark.parametrize(
    ("rule", "changed"),
    [
        (
            {"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch${1}"},
            {"d": "choo-choo"},
        ),
        (
            {"source_labels": ["a", "b"], "regex": "f(.*);(.*)r", "target_label": "a", "replacement": "b${1}${2}m"},
            {"a": "boobam"},
        ),
        ({"source_labels": ["a"], "regex": "oo", "target_label": "d"}, {}),
        ({"source_labels": ["a", "b"], "separator": "-", "target_label": "d"}, {"d": "foo-bar"}),
        ({"source_labels": ["a"], "regex": "(f).*", "target_label": "d", "replacement": "$1x"}, {}),
        (
            {"source_labels": ["a"], "regex": "(?P<first>f).*", "target_label": "d", "replacement": "${first}$$"},
            {"d": "f$"},
        ),
        ({"source_labels": ["a"], "regex": "(.).*", "target_label": "${1}_new", "replacement": "1"}, {"f_new": "1"}),
        ({"source_labels": ["a"], "regex": "(.*)", "target_label": "1${1}", "replacement": "1"}, {}),
        ({"target_label": "a", "replacement": ""}, {"a": None}),
        ({"source_labels": ["c"], "target_label": "d", "action": "hashmod", "modulus": 1000}, {"d": "976"}),
        ({"regex": "__tmp_(.*)", "action": "labelmap"}, {"d": "x"}),
        ({"regex": "[ab]", "action": "labeldrop"}, {"a": None, "b": None}),
        ({"regex": "[ab]", "action": "labelkeep"}, {"c": None, "__tmp_d": None}),
        ({"source_labels": ["a"], "target_label": "a", "action": "uppercase"}, {"a": "FOO"}),
        ({"source_labels": ["a"], "target_label": "e", "action": "Lowercase"}, {"e": "foo"}),
        ({"source_labels": ["a"], "regex": "f.*", "action": "keep"}, {}),
        ({"source_labels": ["a"], "regex": "o", "action": "drop"}, {}),
        ({"source_labels": ["a"], "target_label": "a", "action": "keepequal"}, {}),
        ({"source_labels": ["a"], "target_label": "b", "action": "dropequal"}, {}),
    ],
)
def test_it_changes_labels(rule: dict[str, Any], changed: dict[str, str | None]) -> None:
    wanted = {name: value for name, value in {**LABELS, **changed}.items() if value is not None}
    assert relabelled(LABELS, rules_of([rule], "rules")) == wanted


@pytest.mark.parametrize(
    "rule",
    [
        {"source_labels": ["a"], "regex": "f", "action": "keep"},
        {"source_labels": ["a"], "regex": "f.*", "action": "drop"},
        {"source_labels": ["missing"], "regex": "", "action": "drop"},
        {"source_labels": ["a"], "target_label": "b", "action": "keepequal"},
        {"source_labels": ["a"], "target_label": "a", "action": "dropequal"},
    ],
)
def test_it_drops(rule: dict[str, Any]) -> None:
    assert relabelled(LABELS, rules_of([rule], "rules")) is None


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"action": "kepe"}, "unknown action"),
        ({"regexp": "x"}, "unknown key"),
        ({"regex": "("}, "no regular expression"),
        ({"regex": "(?=x)", "target_label": "a"}, "no regular expression"),
        ({"action": "replace"}, "needs a target_label"),
        ({"action": "hashmod", "target_label": "a"}, "needs a modulus"),
        ("keep", "no table"),
    ],
)
def test_it_says_what_is_wrong_with_a_rule(rule: Any, message: str) -> None:
    with pytest.raises(BadInput, match=message) as found:
        rules_of([rule], "relabel_configs")
    assert "relabel_configs[0]" in found.value.message
