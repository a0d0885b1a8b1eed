"""Comma-separated values with a header row. See https://www.rfc-editor.org/rfc/rfc4180

Separators comma, semicolon and tab are found out. An empty cell says nothing about a field. A text that a spreadsheet
would take for a formula is written behind an apostrophe, and so is the empty text; reading takes the apostrophe away.
See https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.files import MAX_CELL_CHARS, MAX_COLUMNS, open_text
from quarterdeck.inventory.exchange.records import BadRow, Format, Record, Rows

_GUARDED = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def guard(text: str) -> str:
    """Return `text` so that no spreadsheet takes it for a formula and "" is not an absent value."""
    return "'" + text if not text or text.startswith(_GUARDED) else text


def unguard(cell: str) -> str:
    """Undo `guard`. An apostrophe that it did not write stays."""
    return cell[1:] if cell == "'" or (cell[:1] == "'" and cell[1:].startswith(_GUARDED)) else cell


def header_of(cells: Sequence[object]) -> list[str]:
    """Return the column names of a header row; raises BadInput when a name is missing or stands twice."""
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise BadInput(_("the first row is empty"), hint=_("the first row names the columns: name,address,..."))
    if len(names) > MAX_COLUMNS:
        raise BadInput(_("%(n)d columns; at most %(limit)d are read") % {"n": len(names), "limit": MAX_COLUMNS})
    for position, name in enumerate(names, 1):
        if not name:
            raise BadInput(_("column %(n)d has no name") % {"n": position}, hint=_("name it or remove it"))
        if name in names[: position - 1]:
            raise BadInput(_('two columns are named "%(name)s"') % {"name": name}, field=name)
    return names


def fields_of(header: Sequence[str], cells: Sequence[object]) -> dict[str, object]:
    """Return the cells that say something, by column."""
    return {name: cell for name, cell in zip(header, cells, strict=False) if cell is not None and cell != ""}


def _delimiter(file: TextIO) -> str:
    first = file.readline(MAX_CELL_CHARS)
    file.seek(0)
    return max(",;\t", key=first.count)


def read(path: Path) -> Rows:
    # The module's limit is one for the whole process; ours is the only reader of CSV.
    csv.field_size_limit(MAX_CELL_CHARS)
    with open_text(path) as file:
        reader = csv.reader(file, delimiter=_delimiter(file), strict=True)
        try:
            header = header_of(next(reader, []))
        except csv.Error as error:
            raise BadInput(_("the first row cannot be read: %(error)s") % {"error": error}) from error
        yield from _rows(reader, header)


def _rows(reader: Iterator[list[str]], header: list[str]) -> Rows:
    row = 1
    while True:
        row += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield BadRow(row, "", _("cannot be read: %(error)s") % {"error": error})
            continue
        if any(cells[len(header) :]):
            yield BadRow(row, "", _("%(n)d cells under %(m)d column names") % {"n": len(cells), "m": len(header)})
        elif any(cells):
            # "" must be told from a guarded "", so absent cells are left out before the guard is taken off.
            fields = fields_of(header, cells)
            yield Record(row, {name: unguard(str(cell)) for name, cell in fields.items()})


def _cell(value: object) -> object:
    return guard(value) if isinstance(value, str) else value


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for record in records:
        writer.writerow([_cell(record.fields.get(column)) for column in columns])
    text.detach()


PLUGIN = Format("CSV", (".csv", ".tsv"), read, write, flat=True, media_type="text/csv; charset=utf-8")
