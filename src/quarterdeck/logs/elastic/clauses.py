"""The query DSL as conditions: one function for each kind of query, found by its name.

See https://www.elastic.co/docs/reference/query-languages/querydsl
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.query.wildcards import escaped
from quarterdeck.logs.elastic import lucene
from quarterdeck.logs.elastic.bodies import (
    Body,
    a_scalar,
    a_text,
    a_truth,
    an_object,
    as_text,
    clauses,
    expected,
    missing,
    one_of,
    texts,
    unsupported,
)
from quarterdeck.logs.elastic.dates import zone_of
from quarterdeck.logs.elastic.names import Field
from quarterdeck.logs.elastic.terms import Terms
from quarterdeck.telemetry.conditions import EVERYTHING, NOTHING, Sql, all_of, any_of

DEPTH_MAX = 30
CLAUSES_MAX = 1000
_SIDES = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
# What changes scores or speed, which there are none of here.
_IDLE = ("boost", "_name", "rewrite", "max_expansions", "max_determinized_states", "zero_terms_query")
_STRING_IDLE = (
    *_IDLE, "analyze_wildcard", "allow_leading_wildcard", "lenient", "enable_position_increments", "escape",
    "auto_generate_synonyms_phrase_query", "tie_breaker", "type", "phrase_slop", "flags",
)  # fmt: skip


@dataclass(slots=True)
class Clauses:
    """The queries of one request. `terms` makes the conditions of single fields."""

    terms: Terms
    count: int = 0

    def condition(self, query: object, depth: int = 0) -> Sql:
        """Return the condition of a query. Raises BadQuery for what is not known or too much."""
        self.count += 1
        if depth > DEPTH_MAX:
            raise BadQuery(_("The query is nested more than %(limit)d levels deep.") % {"limit": DEPTH_MAX})
        if self.count > CLAUSES_MAX:
            raise BadQuery(_("The query has more than %(limit)d clauses.") % {"limit": CLAUSES_MAX})
        kind, body = one_of(query, "query", KINDS)
        return KINDS[kind](self, body, depth)

    def match_all(self, body: object, _depth: int) -> Sql:
        an_object(body, "match_all", _IDLE)
        return EVERYTHING

    def match_none(self, body: object, _depth: int) -> Sql:
        an_object(body, "match_none", _IDLE)
        return NOTHING

    def bool_(self, body: object, depth: int) -> Sql:
        found = an_object(
            body,
            "bool",
            ("must", "filter", "should", "must_not", "minimum_should_match", "adjust_pure_negative", *_IDLE),
        )
        parts = {
            name: [self.condition(one, depth + 1) for one in clauses(found[name], name)]
            for name in ("must", "filter", "should", "must_not")
            if found.get(name) is not None
        }
        needed = [*parts.get("must", []), *parts.get("filter", [])]
        should = parts.get("should", [])
        if should:
            usual = 0 if needed else 1
            given = found.get("minimum_should_match")
            needed.append(_at_least(should, usual if given is None else _minimum(given, len(should))))
        return all_of([*needed, *(~one for one in parts.get("must_not", []))])

    def constant_score(self, body: object, depth: int) -> Sql:
        found = an_object(body, "constant_score", ("filter", *_IDLE))
        if "filter" not in found:
            raise missing("constant_score", "filter")
        return self.condition(found["filter"], depth + 1)

    def _of_field(self, body: object, kind: str, value: str, more: Sequence[str] = ()) -> tuple[Field, Any, Body]:
        """Return the field, the value and the options of `{field: value}` or `{field: {value: ..., option: ...}}`."""
        names = [name for name in an_object(body, kind) if name not in ("boost", "_name")]
        if len(names) != 1:
            raise expected(kind, _("one field"), ", ".join(names) or "{}")
        found = an_object(body, kind)[names[0]]
        field = self.terms.field(names[0])
        if not isinstance(found, dict):
            return field, found, {}
        options = an_object(found, kind, (value, *more, *_IDLE))
        if value not in options:
            raise missing(kind, value)
        return field, options[value], options

    def term(self, body: object, _depth: int) -> Sql:
        field, value, options = self._of_field(body, "term", "value", ("case_insensitive",))
        text = as_text(a_scalar(value, "term"))
        if _is_set(options, "case_insensitive") and field.kind != "text":
            return self.terms.regex(field, escaped(text), fold=True)
        return self.terms.equal(field, [text])

    def terms_(self, body: object, _depth: int) -> Sql:
        names = [name for name in an_object(body, "terms") if name not in _IDLE]
        if len(names) != 1:
            raise expected("terms", _("one field"), ", ".join(names) or "{}")
        return self.terms.equal(self.terms.field(names[0]), texts(an_object(body, "terms")[names[0]], "terms"))

    def ids(self, body: object, _depth: int) -> Sql:
        found = an_object(body, "ids", ("values", *_IDLE))
        return self.terms.ids(texts(found.get("values", []), "ids"))

    def exists(self, body: object, _depth: int) -> Sql:
        found = an_object(body, "exists", ("field", *_IDLE))
        if "field" not in found:
            raise missing("exists", "field")
        return self.terms.field(found["field"]).exists

    def range_(self, body: object, _depth: int) -> Sql:
        names = [name for name in an_object(body, "range") if name not in ("boost", "_name")]
        if len(names) != 1:
            raise expected("range", _("one field"), ", ".join(names) or "{}")
        old = ("from", "to", "include_lower", "include_upper")
        allowed = (*_SIDES, *old, "format", "time_zone", "relation", *_IDLE)
        found = an_object(an_object(body, "range")[names[0]], "range", allowed)
        given = {name: value for name, value in found.items() if value is not None}
        low = "gte" if given.get("include_lower", True) else "gt"
        high = "lte" if given.get("include_upper", True) else "lt"
        sides = {**_SIDES, "from": _SIDES[low], "to": _SIDES[high]}
        bounds = [(sides[name], as_text(a_scalar(given[name], "range"))) for name in sides if name in given]
        zone = zone_of(a_text(given.get("time_zone", ""), "time_zone"))
        return self.terms.between(self.terms.field(names[0]), bounds, zone, a_text(given.get("format", ""), "format"))

    def match(self, body: object, _depth: int) -> Sql:
        more = ("operator", "minimum_should_match", "lenient", "auto_generate_synonyms_phrase_query")
        field, value, options = self._of_field(body, "match", "query", more)
        text = as_text(a_scalar(value, "match"))
        if field.kind == "text" and "minimum_should_match" in options and not _is_and(options, "operator"):
            parts = [self.terms.words(field, word, every=True) for word in re.findall(r"\w+", text)]
            return _at_least(parts, _minimum(options["minimum_should_match"], len(parts)) or 1) if parts else NOTHING
        return self.terms.words(field, text, every=_is_and(options, "operator"))

    def match_phrase(self, body: object, _depth: int) -> Sql:
        return self._phrase(body, "match_phrase", is_prefix=False)

    def match_phrase_prefix(self, body: object, _depth: int) -> Sql:
        return self._phrase(body, "match_phrase_prefix", is_prefix=True)

    def _phrase(self, body: object, kind: str, *, is_prefix: bool) -> Sql:
        field, value, options = self._of_field(body, kind, "query", ("slop",))
        if options.get("slop") not in (None, 0, "0"):
            raise unsupported(kind, f"slop: {options['slop']}")
        return self.terms.phrase(field, as_text(a_scalar(value, kind)), is_prefix=is_prefix)

    def multi_match(self, body: object, _depth: int) -> Sql:
        allowed = ("query", "fields", "operator", "type", "tie_breaker", "lenient", *_IDLE)
        found = an_object(body, "multi_match", allowed)
        if "query" not in found:
            raise missing("multi_match", "query")
        kind, text = found.get("type", "best_fields"), as_text(a_scalar(found["query"], "multi_match"))
        if kind not in ("best_fields", "most_fields", "cross_fields", "phrase", "phrase_prefix"):
            raise unsupported("multi_match", kind, ("best_fields", "phrase", "phrase_prefix"))
        fields = self._fields(found, "multi_match")
        if str(kind).startswith("phrase"):
            return any_of([self.terms.phrase(one, text, is_prefix=kind == "phrase_prefix") for one in fields])
        every = _is_and(found, "operator")
        return any_of([self.terms.words(one, text, every=every) for one in fields])

    def prefix(self, body: object, _depth: int) -> Sql:
        field, value, options = self._of_field(body, "prefix", "value", ("case_insensitive",))
        text = as_text(a_scalar(value, "prefix"))
        return self.terms.prefix(field, text, fold=_is_set(options, "case_insensitive"))

    def wildcard(self, body: object, _depth: int) -> Sql:
        field, value, options = self._of_field(
            body, "wildcard", "wildcard" if _has(body, "wildcard") else "value", ("case_insensitive",)
        )
        text = as_text(a_scalar(value, "wildcard"))
        return self.terms.wildcard(field, text, fold=_is_set(options, "case_insensitive"))

    def regexp(self, body: object, _depth: int) -> Sql:
        field, value, options = self._of_field(body, "regexp", "value", ("case_insensitive", "flags"))
        text = as_text(a_scalar(value, "regexp"))
        return self.terms.regex(field, text, fold=_is_set(options, "case_insensitive"))

    def _fields(self, found: Body, place: str) -> list[Field]:
        """Return the fields that are searched: those named, else the message. Weights (`^2`) are for scores only."""
        given = found.get("fields") or ([found["default_field"]] if found.get("default_field") else ["*"])
        wanted = ["message" if name in ("*", "_all") else name for name in texts(given, place)]
        return [self.terms.field(name.partition("^")[0]) for name in wanted]

    def query_string(self, body: object, _depth: int) -> Sql:
        allowed = ("query", "fields", "default_field", "default_operator", "time_zone", "minimum_should_match",
                   *_STRING_IDLE)  # fmt: skip
        found = an_object(body, "query_string", allowed)
        if "query" not in found:
            raise missing("query_string", "query")
        if found.get("minimum_should_match") is not None:
            raise unsupported("query_string", "minimum_should_match")
        zone = zone_of(a_text(found.get("time_zone", ""), "time_zone"))
        text = as_text(a_scalar(found["query"], "query_string"))
        tree = lucene.parse(text, is_and=_is_and(found, "default_operator"))
        fields = self._fields(found, "query_string")
        self.count += lucene.terms_of(tree) if tree else 0
        return _Strings(self.terms, fields, zone).tree(tree) if tree else NOTHING

    def simple_query_string(self, body: object, _depth: int) -> Sql:
        """The same language without fields and without errors: what is no term of it is a text."""
        allowed = ("query", "fields", "default_operator", "minimum_should_match", *_STRING_IDLE)
        found = an_object(body, "simple_query_string", allowed)
        if "query" not in found:
            raise missing("simple_query_string", "query")
        fields, text = self._fields(found, "simple_query_string"), as_text(a_scalar(found["query"], "query"))
        every = _is_and(found, "default_operator")
        try:
            tree = lucene.parse(_simple(text), is_and=every)
        except BadQuery:
            return any_of([self.terms.words(one, text, every=every) for one in fields])
        return _Strings(self.terms, fields, zone_of("")).tree(tree) if tree else NOTHING


@dataclass(frozen=True, slots=True)
class _Strings:
    """The tree of a query string as a condition; terms that name no field are looked for in `fields`."""

    terms: Terms
    fields: Sequence[Field]
    zone: Any

    def tree(self, tree: lucene.Tree, name: str = "") -> Sql:
        if isinstance(tree, lucene.Group):
            return self._group(tree, tree.name or name)
        name = tree.name or name
        if isinstance(tree, lucene.Leaf):
            if name == "_exists_":
                return self.terms.field(lucene.unescaped(tree.value)).exists
            if name in ("*", "") and tree.kind == "word" and tree.value == "*":
                return EVERYTHING
        fields = [self.terms.field(name)] if name and name != "*" else self.fields
        return any_of([self._leaf(one, tree) for one in fields])

    def _group(self, group: lucene.Group, name: str) -> Sql:
        found: dict[str, list[Sql]] = {"must": [], "should": [], "must_not": []}
        for occur, part in group.clauses:
            found[occur].append(self.tree(part, name))
        needed = found["must"] if found["must"] or not found["should"] else [any_of(found["should"])]
        return all_of([*needed, *(~one for one in found["must_not"])])

    def _leaf(self, field: Field, leaf: lucene.Leaf | lucene.Between) -> Sql:
        if isinstance(leaf, lucene.Between):
            low, high = ">=" if leaf.has_low else ">", "<=" if leaf.has_high else "<"
            bounds = [(side, value) for side, value in ((low, leaf.low), (high, leaf.high)) if value != "*"]
            return self.terms.between(field, bounds, self.zone)
        if leaf.kind == "regex":
            return self.terms.regex(field, leaf.value)
        if leaf.kind == "phrase":
            return self.terms.phrase(field, leaf.value)
        if lucene.is_pattern(leaf.value):
            return self.terms.wildcard(field, leaf.value)
        return self.terms.phrase(field, lucene.unescaped(leaf.value))


def _simple(text: str) -> str:
    """Return simple syntax in the full one: | is OR, + between terms is AND, and other signs are text."""
    spaced = re.sub(r"\s*\|\s*", " OR ", re.sub(r"\s+\+\s+", " AND ", text))
    return re.sub(r"([\[\]{}:/^!?&<>])", r"\\\1", spaced)


def _has(body: object, name: str) -> bool:
    return isinstance(body, dict) and any(isinstance(one, dict) and name in one for one in body.values())


def _is_set(options: Body, name: str) -> bool:
    return a_truth(options.get(name, False), name)


def _is_and(options: Body, name: str) -> bool:
    given = str(options.get(name, "or")).lower()
    if given not in ("or", "and"):
        raise unsupported(name, given, ("and", "or"))
    return given == "and"


def _minimum(given: object, count: int) -> int:
    """Return how many of `count` clauses have to hold: 2, -1 (all but one), 75%, -25%. Raises BadQuery."""
    found = re.fullmatch(r"(-?)(\d{1,4})(%?)", str(given))
    if not found or isinstance(given, bool):
        raise expected("minimum_should_match", "2, -1, 75%", given)
    number = int(found[2]) * count // 100 if found[3] else int(found[2])
    return max(0, count - number if found[1] else number)


def _at_least(parts: Sequence[Sql], number: int) -> Sql:
    if number <= 1:
        return any_of(parts) if number else EVERYTHING
    if number > len(parts):
        return NOTHING
    text = " + ".join(f"toUInt32({part.text})" for part in parts)
    parameters = {name: value for part in parts for name, value in part.parameters.items()}
    return Sql(f"({text}) >= {number}", parameters)


KINDS: dict[str, Callable[[Clauses, object, int], Sql]] = {
    "match_all": Clauses.match_all,
    "match_none": Clauses.match_none,
    "bool": Clauses.bool_,
    "constant_score": Clauses.constant_score,
    "term": Clauses.term,
    "terms": Clauses.terms_,
    "ids": Clauses.ids,
    "exists": Clauses.exists,
    "range": Clauses.range_,
    "match": Clauses.match,
    "match_phrase": Clauses.match_phrase,
    "match_phrase_prefix": Clauses.match_phrase_prefix,
    "multi_match": Clauses.multi_match,
    "prefix": Clauses.prefix,
    "wildcard": Clauses.wildcard,
    "regexp": Clauses.regexp,
    "query_string": Clauses.query_string,
    "simple_query_string": Clauses.simple_query_string,
}
