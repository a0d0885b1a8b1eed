"""The query language over spans, as the condition that the engine gets."""

from __future__ import annotations

import pytest

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query import compile_node, parse
from quarterdeck.telemetry.conditions import Sql
from quarterdeck.tracing.fields import SpanFields


def compiled(query: str) -> Sql:
    return compile_node(parse(query), SpanFields())


@pytest.mark.parametrize(
    ("query", "text", "values"),
    [
        ("", "1", []),
        ("service:shop", "spans.service IN {q1:Array(String)}", [["shop"]]),
        ("operation:GET*", "spans.name LIKE {q1:String}", ["GET%"]),
        ("operation:100%_*", "spans.name LIKE {q1:String}", [r"100\%\_%"]),
        ("duration:>500ms", "duration_ns > {q1:UInt64}", [500_000_000]),
        ("duration:>=1.5s", "duration_ns >= {q1:UInt64}", [1_500_000_000]),
        ("duration:[80us TO *]", "duration_ns >= {q1:UInt64}", [80_000]),
        ("duration:<250", "duration_ns < {q1:UInt64}", [250_000_000]),
        ("status:error", "is_error", []),
        ("-status:error", "(NOT (is_error))", []),
        ("status:>=500", "http_status >= {q1:Int64}", [500]),
        ("http.route:/pay", "http_route IN {q1:Array(String)}", [["/pay"]]),
        ("trace:ab", "spans.trace_id = toFixedString(unhex({q1:String}), 16)", ["ab".rjust(32, "0")]),
        ("attr.service:*", "mapContains(attributes, {q1:String})", ["service"]),
    ],
)
def test_a_query_becomes_a_condition_with_parameters(query: str, text: str, values: list[object]) -> None:
    found = compiled(query)
    assert (found.text, list(found.parameters.values())) == (text, values)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("duration:fast", "duration"),
        ("duration:99999999999999999s", "duration"),
        ("kind:servr", 'did you mean "server"'),
        ("servce:shop", 'did you mean "service"'),
        ("service:>3", "larger or smaller"),
        ("trace:xyz", "hex"),
        ("is:slow", "error, root"),
        ("status:great", "HTTP status"),
        ("user.age:>old", "number"),
        ("time:>yesterday", "time"),
    ],
)
def test_what_cannot_be_compared_is_told_with_its_place(query: str, said: str) -> None:
    with pytest.raises(BadQuery) as caught:
        compiled(query)
    assert said in str(caught.value)
    assert caught.value.position == 0


@pytest.mark.parametrize("hostile", ["' OR 1=1 --", "{q1:String}", "url('http://x')", "a\\'b", "%", "\x00"])
def test_no_value_ever_stands_in_the_statement(hostile: str) -> None:
    quoted = '"' + hostile.replace("\\", "\\\\").replace('"', '\\"') + '"'
    for field in ("service", "operation", "http.method", "attr.x", "resource.y"):
        found = compiled(f"{field}:{quoted}")
        assert found.text == compiled(f"{field}:plain").text
        assert hostile in str(list(found.parameters.values())).encode().decode("unicode_escape")
