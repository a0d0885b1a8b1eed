"""What a file format reads and writes: records of named fields.

Fields are flat, whatever the file looks like:

    type, name, state, env, ...          columns of the item itself
    cpu_count, os_name, ...              attributes of its type
    label.role                           a label
    relation.runs_on                     a list of targets, "type:name"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

LABEL = "label."
RELATION = "relation."


@dataclass(frozen=True, slots=True)
class Record:
    """One thing of a file. `row` is what a person looks for: the line, the spreadsheet's row, the element (from 1)."""

    row: int
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read; the rows after it still are. `field` is "" when the whole row is wrong."""

    row: int
    field: str
    message: str


Rows = Iterator[Record | BadRow]


@dataclass(frozen=True, slots=True)
class Format:
    """A file format.

    `read(path)` streams the rows and raises BadInput when the file as a whole cannot be read.
    `write(records, columns, stream)` writes UTF-8 or binary; `columns` are all the fields that occur, in order.
    A `flat` format holds text: values that are no text travel as JSON in its cells. A format with `type` is always
    about things of that one type.
    """

    title: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Rows]
    write: Callable[[Iterable[Record], Sequence[str], BinaryIO], None]
    flat: bool = False
    type: str = ""
    media_type: str = "text/plain; charset=utf-8"
    file_names: tuple[str, ...] = ()
    directories: bool = False
