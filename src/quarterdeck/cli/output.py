"""What commands print: tables for people; JSON, CSV and YAML for programs. Rows are printed as they arrive.

Text from the inventory is foreign: control characters (a terminal obeys them) are shown as escapes, and a CSV cell that
a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import chain, islice
from typing import Annotated, Any

import typer

_SAMPLE_ROWS = 200
_MAX_CELL = 60
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_STATE_COLOURS = {"running": "green", "error": "red", "stopped": "yellow", "terminated": "yellow"}

Row = Mapping[str, Any]


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    YAML = "yaml"


OutputOption = Annotated[Format, typer.Option("--output", "-o", help="How to print.", show_default=True)]
ColumnsOption = Annotated[
    str,
    typer.Option("--columns", help="Columns of table and CSV, comma separated: name,attributes.os_name,labels.role"),
]


def note(text: str) -> None:
    """Tell a person something that is not the answer, on stderr."""
    print(text, file=sys.stderr)  # noqa: T201 - the command line's own output


def write(text: str) -> None:
    sys.stdout.write(text)


def safe(text: str) -> str:
    """Return `text` with every character that a terminal could obey shown as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def value_at(row: Row, column: str) -> Any:
    """Return what stands at "attributes.os_name"; None when nothing does. A name with dots itself wins."""
    value: Any = row
    parts = column.split(".")
    for index, part in enumerate(parts):
        if not isinstance(value, Mapping):
            return None
        rest = ".".join(parts[index:])
        if rest in value:
            return value[rest]
        value = value.get(part)
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={_text(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)


def _colours() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _cell(value: Any) -> str:
    text = safe(_text(value))
    return text[: _MAX_CELL - 1] + "…" if sys.stdout.isatty() and len(text) > _MAX_CELL else text


def _width(text: str) -> int:
    """Return how many columns of a terminal `text` takes; Chinese takes two for each character."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - _width(text))


def _table(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[str]:
    """Yield lines. Widths come from the first rows, so that a list of any length needs no more memory than those."""
    rows = iter(rows)
    sample = list(islice(rows, _SAMPLE_ROWS))
    cells = [[_cell(value_at(row, column)) for column in columns] for row in sample]
    titles = [column.rpartition(".")[2].upper() for column in columns]
    widths = [max(map(_width, column)) for column in zip(titles, *cells, strict=True)]
    header = "  ".join(map(_padded, titles, widths)).rstrip()
    yield typer.style(header, bold=True) if _colours() else header
    for row in chain(sample, rows):
        yield _line(row, columns, widths)


def _line(row: Row, columns: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, width in zip(columns, widths, strict=True):
        text = _cell(value_at(row, column))
        colour = _STATE_COLOURS.get(text) if column == "state" and _colours() else None
        padded = _padded(text, width)
        parts.append(typer.style(padded, fg=colour) if colour else padded)
    return "  ".join(parts).rstrip()


def to_json(value: Any) -> str:
    """Return JSON for programs that also a terminal can show: C1 controls and bidi marks inside strings are escaped."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


@cache
def _yaml_dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes whatever holds a character that must be escaped: only quoted text can hold an escape."""

    def text(dumper: Any, value: str) -> Any:
        style = None if value.isprintable() else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper


def to_yaml(value: Any) -> str:
    import yaml

    text: str = yaml.dump(value, Dumper=_yaml_dumper(), allow_unicode=True, sort_keys=False)
    return "".join(c if c.isprintable() or c == "\n" else f"\\U{ord(c):08x}" for c in text)


def _csv_cell(value: Any) -> str:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    if sys.stdout.isatty():
        text = safe(text)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _write_json(rows: Iterable[Row]) -> None:
    separator = "["
    for row in rows:
        write(f"{separator}\n{to_json(dict(row))}")
        separator = ","
    write("[]\n" if separator == "[" else "\n]\n")


def _write_yaml(rows: Iterable[Row]) -> None:
    empty = True
    for row in rows:
        write(to_yaml([dict(row)]))
        empty = False
    if empty:
        write("[]\n")


def write_rows(rows: Iterable[Row], format_: Format, columns: Sequence[str]) -> None:
    """Print a list. JSON and YAML hold whole rows, table and CSV the `columns`."""
    if format_ is Format.JSON:
        _write_json(rows)
    elif format_ is Format.YAML:
        _write_yaml(rows)
    elif format_ is Format.CSV:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_csv_cell(value_at(row, column)) for column in columns] for row in rows)
    else:
        for line in _table(rows, columns):
            write(f"{line}\n")


def write_record(record: Row, format_: Format) -> None:
    """Print one thing: its fields below each other, or as JSON, YAML or CSV."""
    if format_ is Format.JSON:
        write(f"{to_json(dict(record))}\n")
    elif format_ is Format.YAML:
        write(to_yaml(dict(record)))
    else:
        fields = [{"field": name, "value": value} for name, value in _flat(record)]
        write_rows(fields, format_, ("field", "value"))


def _flat(record: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def columns_of(text: str, default: Sequence[str]) -> Sequence[str]:
    """Return the columns that a person asked for, or the usual ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) or tuple(default)
