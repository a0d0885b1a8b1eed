"""What a person's SELECT may be made of, judged by the engine's own parser.

The engine reads files, addresses and programs when a statement asks it to, and takes a table name that it does not
know for the name of a file. So a statement is first parsed by the engine (`EXPLAIN AST`, which runs nothing), and every
node, function and table in the tree has to be one that only computes. What is not known is refused.
See https://clickhouse.com/docs/sql-reference/statements/explain
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadQuery
from quarterdeck.core.names import did_you_mean

# Kinds of nodes. Left out on purpose: Set (SETTINGS), ColumnsApplyTransformer (its function is not in the tree).
_NODES = frozenset(
    {
        *("SelectWithUnionQuery", "SelectQuery", "SelectIntersectExceptQuery", "ExpressionList", "Subquery"),
        *("WithElement", "TablesInSelectQuery", "TablesInSelectQueryElement", "TableExpression", "TableIdentifier"),
        *("TableJoin", "ArrayJoin", "SampleRatio", "Function", "Identifier", "Literal", "Asterisk"),
        *("QualifiedAsterisk", "ColumnsRegexpMatcher", "ColumnsListMatcher", "QualifiedColumnsRegexpMatcher"),
        *("ColumnsTransformerList", "ColumnsExceptTransformer", "ColumnsReplaceTransformer"),
        *("ColumnsReplaceTransformer::Replacement", "OrderByElement", "InterpolateElement"),
        *("WindowDefinition", "WindowListElement"),
    }
)
# Whole categories of `system.functions` that only compute.
SAFE_CATEGORIES = frozenset(
    {
        *("Arithmetic", "Arrays", "Bit", "Bitmap", "Comparison", "Conditional", "Dates and Times", "Distance"),
        *("Encoding", "Financial", "Geo", "Geo Polygon", "Hash", "IP Address", "JSON", "Logical", "Map"),
        *("Mathematical", "Null", "NumericIndexedVector", "QBit", "Random Number", "Rounding", "String"),
        *("String Replacement", "String Search", "String Splitting", "Time Series", "Time Window", "Tuple"),
        *("Type Conversion", "URL", "UUID"),
    }
)
# Of the categories "Other" and "Internal", and what the parser itself writes into the tree.
_SAFE_FUNCTIONS = frozenset(
    {
        *("lambda", "exists", "grouping", "untuple", "caseWithExpression", "transform", "bar", "ignore", "identity"),
        *("materialize", "toTypeName", "toColumnTypeName", "isConstant", "version", "currentDatabase", "byteSize"),
        *("formatReadableSize", "formatReadableDecimalSize", "formatReadableQuantity", "formatReadableTimeDelta"),
        *("parseTimeDelta", "parseReadableSize", "parseReadableSizeOrNull", "parseReadableSizeOrZero"),
        *("runningDifference", "runningDifferenceStartingWithFirstValue", "runningAccumulate", "neighbor"),
        *("rowNumberInBlock", "rowNumberInAllBlocks", "finalizeAggregation", "countDigits", "digits"),
        *("isDecimalOverflow", "variantElement", "variantType", "defaultValueOfTypeName", "visibleWidth"),
        *("defaultValueOfArgumentType", "minSampleSizeContinuous", "minSampleSizeConversion", "normalizeQuery"),
        *("normalizedQueryHash", "MACNumToString", "MACStringToNum", "MACStringToOUI", "errorCodeToName"),
    }
)
_COMBINATORS = re.compile(
    "(?:If|Array|Map|State|SimpleState|Merge|MergeState|ForEach|Distinct|OrDefault|OrNull|Resample|ArgMin|ArgMax)+"
)
TABLE_FUNCTIONS = frozenset({"numbers", "zeros", "generateSeries", "generate_series", "values"})
# `x IN name`, where the name may be a table's: in, notIn, globalNullIn, notInIgnoreSet ...
_IN = re.compile(r"(?:global)?(?:not)?(?:null)?in(?:ignoreset)?", re.IGNORECASE)
_LINE = re.compile(r"( *)(\S+)(?: (.*))?")
_SUFFIX = re.compile(r"(?: \(alias .*\))?(?: \(children \d+\))?\Z")
# A name that the engine knows no table of may be a file's, unless it is a sub-query that WITH names. Such a name is let
# through only when it can be no path; the embedded engine works in a directory of its own, in which no such file is.
_BARE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Function:
    """A row of `system.functions`."""

    name: str
    is_aggregate: bool
    category: str


class Guard:
    """Judges statements. `tables` are those that may be read, of `database`."""

    def __init__(self, database: str, tables: Collection[str], functions: Collection[Function]) -> None:
        self._database = database
        self._tables = tables
        self._safe = {name.lower() for name in _SAFE_FUNCTIONS} | {
            one.name.lower() for one in functions if not one.is_aggregate and one.category in SAFE_CATEGORIES
        }
        self._aggregates = {one.name.lower() for one in functions if one.is_aggregate}
        self._others = {one.name.lower() for one in functions} - self._safe - self._aggregates

    def check(self, tree: Sequence[str]) -> None:
        """Check the lines of `EXPLAIN AST`. Raises BadQuery for what is not allowed."""
        parents: list[str] = []
        for depth, kind, text in _nodes(tree):
            if kind not in _NODES:
                raise _refused(_("this part of SQL is not allowed here: %(name)s") % {"name": kind})
            del parents[depth:]
            parents.append(f"{kind} {text}")
            self._check_node(kind, text, parents)
        self._check_top(tree)

    def _check_node(self, kind: str, text: str, parents: Sequence[str]) -> None:
        if kind == "Function":
            is_table = len(parents) > 1 and parents[-2].startswith("TableExpression")
            self._check_table_function(text) if is_table else self._check_function(text)
        elif kind == "TableIdentifier":
            self._check_table(text)
        elif kind == "Identifier":
            self._check_identifier(text, parents)

    def _check_top(self, tree: Sequence[str]) -> None:
        """FORMAT and INTO OUTFILE hang at the top, beside the list of SELECTs."""
        tops = [kind for depth, kind, _text in _nodes(tree) if depth == 1]
        if tops != ["ExpressionList"]:
            raise _refused(_("FORMAT, SETTINGS and INTO OUTFILE are not allowed here"))

    def _check_function(self, name: str) -> None:
        lower = name.lower()
        if lower not in self._safe and not self._is_aggregate(name):
            near = did_you_mean(name, self._safe | self._aggregates) if lower not in self._others else ""
            raise _refused(_("the function %(name)s is not allowed here") % {"name": name}, near)

    def _is_aggregate(self, name: str) -> bool:
        """True for an aggregate function, with any combinators behind its name: `sumIf`, `argMaxMerge`."""
        if name.lower() in self._aggregates:
            return True
        return any(
            name[:end].lower() in self._aggregates and _COMBINATORS.fullmatch(name[end:]) is not None
            for end in range(1, len(name))
        )

    def _check_table_function(self, name: str) -> None:
        if name not in TABLE_FUNCTIONS:
            allowed = ", ".join(sorted(TABLE_FUNCTIONS))
            raise _refused(_("the table function %(name)s is not allowed here") % {"name": name}, allowed)

    def _check_table(self, name: str) -> None:
        database, _dot, table = name.rpartition(".")
        is_ours = database in ("", self._database) and table in self._tables
        if not is_ours and not _BARE_NAME.fullmatch(name):
            raise self._no_table(name)

    def _check_identifier(self, name: str, parents: Sequence[str]) -> None:
        """A bare name may stand for a function (`arrayMap(file, ...)`), or for a table (`x IN users`)."""
        if name.lower() in self._others and not name.isdecimal():
            raise _refused(
                _("the name %(name)s is not allowed here: it is a function's") % {"name": name}, _("write it as t.name")
            )
        caller = parents[-3].partition("Function ")[2] if len(parents) > 2 else ""
        if _IN.fullmatch(caller):
            self._check_table(name)

    def _no_table(self, name: str) -> BadQuery:
        near = did_you_mean(name.rpartition(".")[2], self._tables)
        hint = near or _("the tables are %(names)s") % {"names": ", ".join(sorted(self._tables))}
        return _refused(_('there is no table "%(name)s" to read here') % {"name": name[:100]}, hint)


def _nodes(tree: Sequence[str]) -> Iterator[tuple[int, str, str]]:
    """Yield `(depth, kind, text)`: `(3, "Function", "count")`."""
    for line in tree:
        match = _LINE.match(line)
        if match:
            text = _SUFFIX.sub("", " " + (match[3] or "")).strip()
            yield len(match[1]), match[2], text


def _refused(message: str, hint: str = "") -> BadQuery:
    return BadQuery(message, hint=hint, field="query")
