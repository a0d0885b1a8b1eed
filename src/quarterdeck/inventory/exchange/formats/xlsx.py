"""Excel workbooks: the first sheet, its first row the column names.

Cells are read as the values that were last calculated; texts are written as texts, never as formulas. Workbooks that
link to other files are refused: what they show depends on files that we do not have.
See ECMA-376 part 1, 18.3 (sheets) and 22.4.2.4 (characters that XML cannot hold, written `_xHHHH_`).
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import openpyxl
from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from django.utils.translation import gettext as _
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.utils.exceptions import InvalidFileException

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.archives import check_archive
from quarterdeck.inventory.exchange.files import MAX_CELL_CHARS, MAX_COLUMNS, MAX_WHOLE_FILE_BYTES, check_size
from quarterdeck.inventory.exchange.formats.csv import fields_of, header_of
from quarterdeck.inventory.exchange.records import BadRow, Format, Record, Rows

# The format's own limit for the text of a cell.
_CELL_CHARS = 32_767
_MAX_ROWS = 1_048_576
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)|[\ud800-\udfff]")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_BROKEN = (
    zipfile.BadZipFile,
    InvalidFileException,
    ParseError,
    DefusedXmlException,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    EOFError,
    OSError,
)


def _broken(path: Path, error: Exception) -> BadInput:
    return BadInput(
        _("%(path)s is not a readable workbook: %(error)s") % {"path": path.name, "error": error or type(error)},
        hint=_("open it in a spreadsheet and save it again as .xlsx, or export CSV"),
    )


def _check(path: Path) -> bool:
    """Refuse bombs, links to other files and encrypted workbooks; return whether a sheet holds formulas."""
    check_size(path, MAX_WHOLE_FILE_BYTES)
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.name)
            names = archive.namelist()
            if any(name.lower().startswith("xl/externallinks/") for name in names):
                raise BadInput(
                    _("%(path)s takes values from other workbooks") % {"path": path.name},
                    hint=_("replace the links by their values and save it again"),
                )
            return any(_has_formula(archive, name) for name in names if name.startswith("xl/worksheets/"))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:
        raise _broken(path, error) from error


def _has_formula(archive: zipfile.ZipFile, name: str) -> bool:
    tail = b""
    with archive.open(name) as file:
        while block := file.read(1 << 16):
            if b"<f>" in tail + block or b"<f " in tail + block:
                return True
            tail = block[-2:]
    return False


def read(path: Path) -> Rows:
    with_formulas = _check(path)
    try:
        with closing(openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)) as book:
            if not with_formulas:
                yield from _records(_rows(book, path))
                return
            with closing(openpyxl.load_workbook(path, read_only=True, data_only=False, keep_links=False)) as formulas:
                yield from _records(_rows(book, path), _rows(formulas, path))
    except _BROKEN as error:
        raise _broken(path, error) from error


def _rows(book: Any, path: Path) -> Iterator[tuple[object, ...]]:
    if not book.worksheets:
        raise BadInput(_("%(path)s has no sheet") % {"path": path.name})
    # Sheets may claim a size that has nothing to do with their cells; without it, rows end where the data ends.
    sheet = book.worksheets[0]
    sheet.reset_dimensions()
    yield from sheet.iter_rows(values_only=True, max_row=_MAX_ROWS, max_col=MAX_COLUMNS + 1)


def _records(values: Iterator[tuple[object, ...]], formulas: Iterator[tuple[object, ...]] | None = None) -> Rows:
    header = header_of([_unescape(cell) if isinstance(cell, str) else cell for cell in next(values, ())])
    if formulas is not None:
        next(formulas, ())
    for row, cells in enumerate(values, 2):
        sources = next(formulas, ()) if formulas is not None else ()
        if any(cell is not None for cell in cells) or sources:
            yield _record(row, header, cells, sources)


def _record(row: int, header: list[str], cells: Sequence[object], sources: Sequence[object]) -> Record | BadRow:
    for name, cell, source in zip(header, cells, sources, strict=False):
        if cell is None and source is not None:
            return BadRow(row, name, _("a formula without a stored value; calculate and save the workbook again"))
    if any(cell is not None for cell in cells[len(header) :]):
        return BadRow(row, "", _("a cell outside the named columns"))
    for name, cell in zip(header, cells, strict=False):
        if isinstance(cell, str) and len(cell) > MAX_CELL_CHARS:
            return BadRow(
                row, name, _("%(n)d characters; at most %(limit)d") % {"n": len(cell), "limit": MAX_CELL_CHARS}
            )
        if isinstance(cell, str) and cell in ERROR_CODES:
            return BadRow(row, name, _("the cell shows the error %(error)s") % {"error": cell})
    return Record(row, {name: _value(cell) for name, cell in fields_of(header, cells).items()})


def _value(cell: object) -> object:
    """A cell's value as JSON would have it; whole numbers are whole, times without a zone are UTC."""
    if isinstance(cell, str):
        text = _unescape(cell)
        # An empty cell says nothing, so the empty text travels as an apostrophe.
        return text[1:] if text == "'" or text.startswith("''") else text
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1 << 53:
        return int(cell)
    if isinstance(cell, dt.datetime):
        return cell.replace(tzinfo=dt.UTC).isoformat()
    return cell.isoformat() if isinstance(cell, dt.date | dt.time) else cell


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _escape(text: str) -> str:
    if text in ERROR_CODES:
        return f"_x0023_{text[1:]}"
    quoted = "'" + text if not text or text.startswith("'") else text
    return _UNSAFE.sub(lambda match: f"_x{ord(match[0]):04X}_", quoted)


def _cell(sheet: Any, value: object, column: str) -> Any:
    if not isinstance(value, str):
        return value
    escaped = _escape(value)
    if len(escaped) > _CELL_CHARS:
        raise BadInput(
            _('a value of "%(field)s" has %(n)d characters; a cell of a workbook holds %(limit)d')
            % {"field": column, "n": len(escaped), "limit": _CELL_CHARS},
            hint=_("export CSV, JSON or YAML instead"),
            field=column,
        )
    cell = WriteOnlyCell(sheet, "")
    # Set past openpyxl's guessing, which would make a formula of "=1+1" and an error of "#N/A".
    cell._value, cell.data_type = escaped, "s"  # type: ignore[attr-defined]
    return cell


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("items")
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, column, column) for column in columns])
    for record in records:
        sheet.append([_cell(sheet, record.fields.get(column), column) for column in columns])
    book.save(stream)


PLUGIN = Format(
    "Excel",
    (".xlsx",),
    read,
    write,
    flat=True,
    media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
