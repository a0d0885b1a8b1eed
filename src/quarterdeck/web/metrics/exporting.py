"""The explorer's series as CSV: a column for each series, a row for each step."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import StringIO

from django.utils.translation import gettext as _

from quarterdeck.inventory.exchange.formats.csv import guard
from quarterdeck.web.metrics.answers import Found, Values, full_name
from quarterdeck.web.metrics.states import State


def as_csv(state: State, answer: Found) -> bytes:
    """Write RFC 4180 in UTF-8. Names are what senders chose: none of them becomes a formula. Times are UTC."""
    columns = _columns(state, answer)
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow([_("time"), *(guard(name) for name, _values in columns)])
    for index in range(answer.grid.points):
        at = datetime.fromtimestamp(answer.grid.since + index * answer.grid.step, UTC)
        writer.writerow([at.isoformat(), *("" if values[index] is None else values[index] for _n, values in columns)])
    return file.getvalue().encode()


def _columns(state: State, answer: Found) -> list[tuple[str, Values]]:
    columns: list[tuple[str, Values]] = []
    for line in answer.lines:
        name = full_name(line.labels) or state.queries[line.query]
        columns.append((name, line.values))
        if line.earlier:
            columns.append((_("%(name)s, a week earlier") % {"name": name}, line.earlier))
    return columns
