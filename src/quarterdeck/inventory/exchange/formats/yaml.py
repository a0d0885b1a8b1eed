"""YAML: a list of items in the same shape as JSON, one item, or `items:` with a list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from quarterdeck.core.yamls import dump, load
from quarterdeck.inventory.exchange.files import read_text
from quarterdeck.inventory.exchange.records import Format, Record, Rows
from quarterdeck.inventory.exchange.shapes import nest, records_of


def read(path: Path) -> Rows:
    document = load(read_text(path), path.name)
    yield from records_of([] if document is None else document, path.name)


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    empty = True
    for record in records:
        dump([nest(record.fields)], stream)
        empty = False
    if empty:
        stream.write(b"[]\n")


PLUGIN = Format("YAML", (".yaml", ".yml"), read, write, media_type="application/yaml")
