"""How messages, explanations and times are put on a page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.utils import translation

from quarterdeck.core.names import did_you_mean
from quarterdeck.web.formatting import capital, in_sentences
from quarterdeck.web.templatetags.qd import when, with_code


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("no such type", "did you mean host?"), "No such type. Did you mean host?"),
        (("There is no such type.", ""), "There is no such type."),
        (("there is none",), "There is none"),
        (("没有此类型。", "请选择其他类型"), "没有此类型。请选择其他类型"),
    ],
)
def test_a_message_and_its_hint_are_sentences(parts: tuple[str, ...], expected: str) -> None:
    assert in_sentences(*parts) == expected


def test_a_field_keeps_its_spelling_at_the_start_of_a_sentence() -> None:
    assert capital("cpu_count is never x") == "cpu_count is never x"


def test_near_names_are_suggested_in_the_language_of_the_page() -> None:
    with translation.override("zh-hans"):
        assert did_you_mean("tipe", ["type"]) == "您是不是要找“type”？"


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    assert with_code("from `listen` <b>") == "from <code>listen</code> &lt;b&gt;"


def test_a_day_is_marked_as_one() -> None:
    assert " data-date>" in when(datetime(2027, 12, 31, tzinfo=UTC), "date")
