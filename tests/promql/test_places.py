"""The words of a query, finished or not: where it goes wrong, what it selects."""

from __future__ import annotations

import pytest

from quarterdeck.telemetry.promql.errors import BadExpression
from quarterdeck.telemetry.promql.parsing import parse
from quarterdeck.telemetry.promql.positions import located
from quarterdeck.telemetry.promql.tokens import AGGREGATIONS, FUNCTIONS, selectors, tokens


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("sum by (job", 11),
        ("rate(x[5m)", 9),
        ("rate(x)", 0),
        ("1 + foo(x)", 4),
        ("a +", 3),
        ('a{b="c', 4),
        ("a{b=~}", 5),
        ("sum(rate(x[5m])))", 16),
        ("x y", 2),
        ('a{job="x" foo}', 10),
        ("abc $", 4),
        ("sum by (job) (rate(http[5m])) /// b", 31),
        ("1 + + *", 6),
        ("up offset", 9),
        ("up{job='x'} offset 5m and up{job=}", 33),
    ],
)
def test_it_says_where_a_query_goes_wrong(query: str, position: int) -> None:
    with pytest.raises(BadExpression) as raised:
        parse(query)
    error = located(query, raised.value)
    assert error.position == position
    assert error.hint


def test_it_leaves_what_is_no_error_of_the_parser() -> None:
    error = BadExpression("there is no query", field="query")
    assert located("", error) is error


@pytest.mark.parametrize("name", [*FUNCTIONS, *AGGREGATIONS])
def test_every_name_that_is_proposed_is_one_of_the_language(name: str) -> None:
    assert "unknown function" not in _said(f"{name}(x)")


def _said(query: str) -> str:
    try:
        parse(query)
    except BadExpression as error:
        return str(error)
    return ""


def test_it_finds_selectors_and_no_labels_functions_or_words() -> None:
    query = (
        'sum by (job) (rate(a{x="}{"}[5m] offset 1h)) / on (y) group_left (z) max without (q) (b)'
        ' and {__name__="c"} > bool 1'
    )
    assert [place.metric for place in selectors(query)] == ["a", "b", ""]


def test_a_text_in_quotes_without_end_is_open() -> None:
    assert [token.is_open for token in tokens("a{b='it\\'s', c=`x")][4::4] == [False, True]
