"""JSON: a list of items as the API shows them, one item, `{"items": [...]}`, or one item per line (`.jsonl`).

See https://www.rfc-editor.org/rfc/rfc8259; names that occur twice in an object are refused (section 4 leaves it open).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import orjson
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.files import open_text, read_text
from quarterdeck.inventory.exchange.records import BadRow, Format, Record, Rows
from quarterdeck.inventory.exchange.shapes import nest, record_of, records_of


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(_('"%(name)s" stands twice in one object') % {"name": twice}, field=twice)
    return found


def _no_constant(word: str) -> object:
    raise BadInput(_("%(word)s is no JSON number") % {"word": word})


def parse(text: str, where: str) -> object:
    """Return the value of a JSON text. Raises BadInput that says where in `where` it goes wrong."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BadInput(
            _("%(where)s is not JSON: %(error)s in line %(line)d, column %(column)d")
            % {"where": where, "error": error.msg, "line": error.lineno, "column": error.colno},
            hint=_("correct it there, or export the file again"),
            position=error.pos,
        ) from error
    except (RecursionError, ValueError) as error:
        raise BadInput(
            _("%(where)s is not JSON that can be read: %(error)s") % {"where": where, "error": error}
        ) from error


def read(path: Path) -> Rows:
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        yield from _lines(path)
    else:
        yield from records_of(parse(read_text(path), path.name), path.name)


def _lines(path: Path) -> Rows:
    with open_text(path) as file:
        for row, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield record_of(row, parse(line, _("the line")))
            except BadInput as error:
                yield BadRow(row, error.field, error.message)


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    stream.write(b"[")
    stream.writelines(
        (b",\n" if number else b"\n") + orjson.dumps(nest(record.fields)) for number, record in enumerate(records)
    )
    stream.write(b"\n]\n")


PLUGIN = Format("JSON", (".json", ".jsonl", ".ndjson"), read, write, media_type="application/json")
