"""What one request asks of the engine: the lines that its actor may read, in the time that all its statements share."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.logs.compiling import LogFields
from quarterdeck.logs.elastic.bodies import unsupported
from quarterdeck.logs.elastic.clauses import Clauses
from quarterdeck.logs.elastic.names import INDEX, INDEX_ATTRIBUTE
from quarterdeck.logs.elastic.terms import Terms
from quarterdeck.logs.limits import GROUPS_MAX, SECONDS_MAX, ask
from quarterdeck.logs.scope import scope_of
from quarterdeck.logs.templates import template
from quarterdeck.telemetry.client import TooHeavy
from quarterdeck.telemetry.conditions import EVERYTHING, NOTHING, Names, Sql, all_of, any_of

# All statements of one request together.
REQUEST_SECONDS_MAX = 30
# A page of hits is kept in this process's memory before it is written.
ANSWER_BYTES_MAX = 64 << 20
_SENT = f"logs.attributes['{INDEX_ATTRIBUTE}']"
_INDEX_MAX = 255
_INDICES_MAX = 50


class NoIndex(NotFound):
    """No index is called so, or none that this actor may see; `field` is its name."""


class Reader:
    """Asks for one actor. Raises Denied for who may read nothing at all."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._until = time.monotonic() + REQUEST_SECONDS_MAX
        self.names = Names()
        scope = scope_of(actor, self.names)
        self.scope = scope.condition() or EVERYTHING
        self.terms = Terms(self.names, LogFields(self.names, scope.matched, template("message")))

    def condition(self, query: object) -> Sql:
        """Return the condition of a query of the DSL; None is everything. Raises BadQuery."""
        return EVERYTHING if query is None else Clauses(self.terms).condition(query)

    def rows(self, sql: str, *parts: Sql, **parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of `sql`, in which `parts` are, whose parameters go with it. Raises TooHeavy, TooMany."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TooHeavy(
                _("the query needs more %(what)s than it may have") % {"what": _("time")},
                hint=_("ask for less at once, or again later"),
            )
        known: Mapping[str, Any] = {name: value for part in parts for name, value in part.parameters.items()}
        options = {
            "max_rows_to_group_by": GROUPS_MAX,
            "group_by_overflow_mode": "throw",
            "max_result_bytes": ANSWER_BYTES_MAX,
            "result_overflow_mode": "throw",
            "max_execution_time": max(1, min(SECONDS_MAX, int(left))),
        }
        return ask(self._actor, sql, EVERYTHING, {**known, **parameters}, **options)

    def of_index(self, index: str, *, is_lenient: bool = False) -> Sql:
        """Return the lines of an index, of several (`a,b`) or of a pattern (`a*`), that the actor may read.

        `logs`, and every pattern that means it, is all of them. Any other name is that under which a client sent them.
        Raises NoIndex for a name without lines unless `is_lenient`, BadQuery.
        """
        wanted = [name for name in index.split(",") if name] or ["_all"]
        if len(wanted) > _INDICES_MAX or any(len(name) > _INDEX_MAX for name in wanted):
            raise unsupported("index", index)
        parts, without = [], []
        for name in wanted:
            if name.startswith("-"):
                without.append(~self._index(name[1:], is_lenient=True))
            else:
                parts.append(self._index(name, is_lenient=is_lenient))
        found = EVERYTHING if any(part is EVERYTHING for part in parts) or not parts else any_of(parts)
        return all_of([self.scope, found, *without])

    def _index(self, name: str, *, is_lenient: bool) -> Sql:
        if name == "_all" or _means_all(name):
            return EVERYTHING
        if not name or name.startswith(("_", "<")) or re.search(r"[\s\\/?\"|#:]", name):
            raise unsupported("index", name)
        if "*" in name:
            like = "%".join(re.sub(r"([\\%_])", r"\\\1", piece) for piece in name.split("*"))
            return self.names.sql(f"{_SENT} LIKE {{}} AND {_SENT} != ''", ("String", like))
        found = self.names.sql(f"{_SENT} = {{}}", ("String", name))
        if not self.rows(f"SELECT 1 FROM logs WHERE {self.scope.text} AND {found.text} LIMIT 1", self.scope, found):
            if is_lenient:
                return NOTHING
            raise NoIndex(_("no such index [%(name)s]") % {"name": name}, field=name)
        return found


def _means_all(name: str) -> bool:
    """Whether a name is `logs`, or a pattern for it or for all data streams of logs."""
    pattern = re.escape(name).replace(r"\*", ".*")
    return re.fullmatch(pattern, INDEX) is not None or name == f"{INDEX}-*"
