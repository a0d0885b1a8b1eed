"""The query language: what parses to what, what is refused and how it is said."""

from __future__ import annotations

import pytest
from django.db.models import Q
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query import (
    And,
    Everything,
    Match,
    Node,
    Not,
    Op,
    Or,
    Text,
    Value,
    compile_q,
    condition_text,
    leaves,
    mentions,
    narrowed,
    parse,
)


def field(name: str, *values: str, op: Op = Op.EQ) -> Match:
    return Match(name, op, tuple(Value(value) for value in values))


def word(text: str) -> Text:
    return Text(Value(text))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", Everything()),
        ("   ", Everything()),
        ("env:prod", field("env", "prod")),
        ("env: prod", field("env", "prod")),
        ("a b", And((word("a"), word("b")))),
        ("a OR b c", Or((word("a"), And((word("b"), word("c")))))),
        ("a (b OR c)", And((word("a"), Or((word("b"), word("c")))))),
        ("-os:debian", Not(field("os", "debian"))),
        ("NOT os:debian", Not(field("os", "debian"))),
        ("NOT NOT a", word("a")),
        ("role:(web OR api)", field("role", "web", "api")),
        ("role:(web OR NOT api)", Or((field("role", "web"), Not(field("role", "api"))))),
        ("tag:(a b)", And((field("tag", "a"), field("tag", "b")))),
        ("cpu:>=4", field("cpu", "4", op=Op.GE)),
        ("last_seen:<-1d", field("last_seen", "-1d", op=Op.LT)),
        ("seen:[2026-01-01 TO *]", field("seen", "2026-01-01", "*", op=Op.BETWEEN)),
        ("owner:*", Match("owner", Op.PRESENT)),
        ('"kernel panic"', Text(Value("kernel panic", quoted=True))),
        ('name:"a b"', Match("name", Op.EQ, (Value("a b", quoted=True),))),
        ("fe80::1", word("fe80::1")),
        ("http://x/y", word("http://x/y")),
        ("path:/usr/lib", field("path", "/usr/lib")),
        ("message:/time(out|d)/ x", And((field("message", "/time(out|d)/"), word("x")))),
        ('/a "b" [0-9]/', word('/a "b" [0-9]/')),
        ("a:/var b:/srv/", And((field("a", "/var"), field("b", "/srv/")))),
        ("x:(/a b/ OR /c/)", field("x", "/a b/", "/c/")),
        ("52:54:00:12:34:56", word("52:54:00:12:34:56")),
        ("mac:52:54:00:12:34:56", field("mac", "52:54:00:12:34:56")),
        ("label.role:web", field("label.role", "web")),
        ("名称:服务器 你好", And((field("名称", "服务器"), word("你好")))),
        ("ORacle ANDroid", And((word("ORacle"), word("ANDroid")))),
        ("web-1", word("web-1")),
    ],
)
def test_it_parses(text: str, tree: Node) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "said", "position"),
    [
        ('name:"a', "quote", 5),
        ("(a", '"("', 0),
        ("a)", '")"', 1),
        ("env:", '"env:" has no value', 4),
        ("env:(a OR)", '")"', 9),
        ("OR b", "OR", 0),
        ("a AND", "ends too early", 5),
        ("x:[1 2]", "not expected", 5),
        ("x:<", "ends too early", 3),
    ],
)
def test_it_says_what_is_wrong_and_where(text: str, said: str, position: int) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(text)
    assert said in caught.value.message
    assert caught.value.position == position
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        " ".join(f"word{n}" for n in range(10_001)),
        "name:(" + " OR ".join(f"h{n}" for n in range(10_001)) + ")",
        "(a -" * 5_000 + "b" + ")" * 5_000,
        "(a OR (" * 3_000 + "b" + "))" * 3_000,
        "(" * 100_000,
        "x" * 300_000,
    ],
)
def test_it_refuses_what_is_too_large_with_a_sentence(text: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(text)
    assert caught.value.hint


def test_it_takes_thousands_of_values_of_one_field() -> None:
    tree = parse("name:(" + " OR ".join(f"h{n}" for n in range(5_000)) + ")")
    assert isinstance(tree, Match)
    assert len(tree.values) == 5_000


def test_it_takes_any_number_of_needless_parentheses_and_negations() -> None:
    assert parse("(" * 5_000 + "a" + ")" * 5_000) == word("a")
    assert parse("-" * 5_000 + "a") == word("a")


def test_a_wildcard_is_one_only_where_it_is_not_escaped_or_quoted() -> None:
    assert Value("web*").is_pattern
    assert not Value(r"web\*").is_pattern
    assert not Value("web*", quoted=True).is_pattern
    assert Value(r"\\*").is_pattern
    assert Value(r"a\*b*c").pieces == ("a*b", "c")
    assert Value(r"web\*").text == "web*"


def test_it_knows_which_fields_are_asked_for() -> None:
    tree = parse("env:prod -(lifecycle:retired OR x)")
    assert mentions(tree, "lifecycle")
    assert not mentions(tree, "prod")
    assert len(list(leaves(tree))) == 3


class _Columns:
    """A store with one column per field."""

    def everything(self) -> Q:
        return Q()

    def match(self, match: Match) -> Q:
        return Q(**{f"{match.field}__in": [value.text for value in match.values]})

    def text(self, text: Text) -> Q:
        return Q(text=text.value.text)


def test_it_compiles_to_conditions() -> None:
    assert compile_q(parse(""), _Columns()) == Q()
    assert compile_q(parse("a:1 (b:2 OR -c)"), _Columns()) == Q(a__in=["1"]) & (Q(b__in=["2"]) | ~Q(text="c"))


_names = st.sampled_from(["env", "role", "label.x", "名称"])
_plain = st.text(alphabet="abc019-_.你", min_size=1, max_size=8).filter(lambda text: text[0] != "-")
_matches = st.builds(lambda name, value: f"{name}:{value}", _names, _plain)
_terms = st.recursive(
    st.one_of(_matches, _plain),
    lambda inner: st.one_of(
        st.builds(lambda a, b: f"({a} OR {b})", inner, inner),
        st.builds(lambda a, b: f"({a} {b})", inner, inner),
        st.builds(lambda a: f"-{a}", inner),
    ),
    max_leaves=12,
)


@given(_terms)
def test_what_is_written_by_the_rules_parses(text: str) -> None:
    assert compile_q(parse(text), _Columns()) is not None


@given(st.text(alphabet='ab:()[]"*<>=-\\ ORTNAD\t你', max_size=40))
def test_any_text_parses_or_is_refused_with_a_sentence(text: str) -> None:
    error = _refusal(text)
    if error is not None:
        assert error.message
        assert error.hint
        assert error.position is None or 0 <= error.position <= len(text)


def _refusal(text: str) -> BadQuery | None:
    try:
        parse(text)
    except BadQuery as error:
        return error
    return None


@pytest.mark.parametrize(
    ("raw", "regex"), [("/a.b/", "a.b"), ("/a\\/b/", "a/b"), ("//", ""), ("/usr/lib", ""), ("a", ""), ("/a", "")]
)
def test_a_value_between_slashes_is_a_regular_expression(raw: str, regex: str) -> None:
    assert Value(raw).regex == regex
    assert Value(raw, quoted=True).regex == ""


@pytest.mark.parametrize("value", ["plain", 'a "b" \\c', "x OR y", "*", "", "[1 TO 2]", "/a/", "\x1b\n<b>"])
def test_a_condition_of_any_value_is_read_back(value: str) -> None:
    [leaf] = leaves(parse(condition_text("a.b-c/d", value)))
    assert isinstance(leaf, Match)
    assert (leaf.field, [one.text for one in leaf.values], leaf.values[0].is_pattern) == ("a.b-c/d", [value], False)
    assert condition_text("no field", value) == ""


def test_a_condition_narrows_the_whole_query() -> None:
    assert narrowed("a OR b", 'c:"d"') == '(a OR b) c:"d"'
    assert narrowed("", condition_text("c", None)) == "-c:*"
    assert parse("-c:*") == parse(narrowed(" ", "-c:*"))
