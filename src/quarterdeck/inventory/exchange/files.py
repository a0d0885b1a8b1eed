"""Opening files that people bring: encodings found out, sizes limited, before any format looks inside."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import TextIO

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

# A million rows of 25 columns are about 200 MB; beyond that a file is split rather than uploaded.
MAX_FILE_BYTES = 512 << 20
# Formats that have to be parsed as a whole need some 10 times their size in memory.
MAX_WHOLE_FILE_BYTES = 64 << 20
MAX_CELL_CHARS = 1 << 20
MAX_COLUMNS = 2_000

_BLOCK_BYTES = 1 << 16
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Control characters that no text file has; tab, line feed, form feed and carriage return are text.
_BINARY = frozenset(range(32)) - {9, 10, 12, 13, 27}


def check_size(path: Path, limit_bytes: int = MAX_FILE_BYTES) -> None:
    """Raise BadInput when `path` is missing, not a file, empty or larger than `limit_bytes`."""
    if not path.is_file():
        raise BadInput(_("%(path)s is not a file") % {"path": path}, hint=_("check the path"))
    size = path.stat().st_size
    if size == 0:
        raise BadInput(_("%(path)s is empty") % {"path": path.name}, hint=_("choose a file with content"))
    if size > limit_bytes:
        raise BadInput(
            _("%(path)s has %(size)d MB; at most %(limit)d MB are read")
            % {"path": path.name, "size": size >> 20, "limit": limit_bytes >> 20},
            hint=_("split the file, or use CSV, which is read row by row"),
        )


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file: by its byte order mark, else UTF-8, UTF-16 or GB18030 if all of it decodes.

    Raises BadInput for anything else, binary files above all: a wrong guess would store mojibake.
    """
    with path.open("rb") as file:
        head = file.read(_BLOCK_BYTES)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding if _decodes(path, encoding) else _refuse(path)
    candidates = _utf16(head) or ("utf-8", "gb18030")
    for encoding in candidates:
        if _decodes(path, encoding):
            return encoding
    return _refuse(path)


def _utf16(head: bytes) -> tuple[str, ...]:
    """UTF-16 without a mark shows in text with ASCII in it: every other byte is zero."""
    pairs = len(head) // 2
    if not pairs or b"\0" not in head:
        return ()
    if head[1::2].count(0) > 0.3 * pairs:
        return ("utf-16-le",)
    return ("utf-16-be",) if head[0::2].count(0) > 0.3 * pairs else ()


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                if _looks_binary(decoder.decode(block)):
                    return False
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


def _looks_binary(text: str) -> bool:
    """More than 1 % control characters: a picture or a program, whatever it decodes as."""
    controls = sum(text.count(chr(code)) for code in _BINARY)
    return controls > 8 + len(text) // 100


def _refuse(path: Path) -> str:
    raise BadInput(
        _("%(path)s is not text in UTF-8, UTF-16 or GB18030") % {"path": path.name},
        hint=_("save it as UTF-8, or name the right format"),
    )


def open_text(path: Path, limit_bytes: int = MAX_FILE_BYTES) -> TextIO:
    """Open a text file in the encoding it has, with its line ends untouched. The caller closes it."""
    check_size(path, limit_bytes)
    return path.open(encoding=encoding_of(path), newline="")


def read_text(path: Path, limit_bytes: int = MAX_WHOLE_FILE_BYTES) -> str:
    """Return the whole text of a file, its line ends as "\\n"."""
    with open_text(path, limit_bytes) as file:
        return io.IncrementalNewlineDecoder(None, translate=True).decode(file.read(), final=True)
