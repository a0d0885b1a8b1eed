"""Reading just enough of a statement to run it: where an INSERT's data begins, which format an answer has.

ClickHouse's HTTP interface takes the statement in the URL, in the body, or begun in the one and continued in the other,
and an INSERT carries its data right behind the statement. See https://clickhouse.com/docs/interfaces/http
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Strings and quoted names are skipped whole, so that a word in them is never taken for a keyword.
_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/)
      | (?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`)
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<mark>[();])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_LAST_FORMAT = re.compile(rb"\bFORMAT\s+([A-Za-z0-9]+)(?:\s+SETTINGS\s[^;]*)?[\s;]*$", re.IGNORECASE)
# One newline behind the format's name ends the statement; more of them belong to the data.
_DATA_GAP = re.compile(rb"[ \t\f]*;?[ \t\f]*(?:\r?\n)?")
# chDB streams these only.
_STREAMED = frozenset({"SELECT", "WITH", "("})
FORMAT_DEFAULT = "TabSeparated"


@dataclass(frozen=True, slots=True)
class Token:
    """`word` is upper case; `depth` counts the open parentheses around it."""

    word: str
    start: int
    end: int
    depth: int


@dataclass(frozen=True, slots=True)
class Insert:
    """An INSERT that carries data: `head` without its format, `format`, and where in the text the data begins.

    `input_at` is the span of `input(` in an INSERT ... SELECT ... FROM input('structure'), None without one.
    """

    head: str
    format: str
    data_at: int
    input_at: tuple[int, int] | None = None


def tokens(text: bytes) -> Iterator[Token]:
    """Yield the words and marks of a statement that are in no string, quoted name or comment."""
    depth = 0
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "mark":
            mark = match.group().decode()
            depth -= mark == ")"
            yield Token(mark, match.start(), match.end(), depth)
            depth += mark == "("
        elif match.lastgroup == "word":
            yield Token(match.group().decode().upper(), match.start(), match.end(), depth)


def first_word(text: bytes) -> str:
    """Return the statement's first word in upper case, "(" for one in parentheses, "" when there is none."""
    return next((token.word for token in tokens(text)), "")


def may_stream(text: bytes) -> bool:
    """True for a statement whose answer the engine can give block by block."""
    return first_word(text) in _STREAMED


def answer_format(text: bytes, default: str) -> str:
    """Return the format that the statement asks for by FORMAT, else `default`."""
    found = _LAST_FORMAT.search(text[-4096:])
    return found.group(1).decode() if found else default


def has_second_statement(text: bytes) -> bool:
    """True when something follows a `;`. The engine would run it; ClickHouse's HTTP interface never does."""
    if b";" not in text.rstrip(b" \t\r\n;"):
        return False
    ended = False
    for token in tokens(text):
        if ended and token.word != ";":
            return True
        ended = ended or token.word == ";"
    return False


def split_insert(text: bytes) -> Insert | None:
    """Split an INSERT that carries data, None for any other statement.

    `text` may be the beginning of a request only, as long as the whole statement is in it.
    """
    stream = tokens(text)
    if next(stream, Token("", 0, 0, 0)).word != "INSERT":
        return None
    previous, previous_at, selects = "", 0, False
    input_at: tuple[int, int] | None = None
    for token in stream:
        if token.word == "VALUES" and token.depth == 0 and not selects:
            return Insert(text[: token.start].decode(), "Values", token.end)
        if token.word == "INFILE" and previous == "FROM":
            return None
        if previous == "FORMAT" and token.depth == 0:
            gap = _DATA_GAP.match(text, token.end)
            name = text[token.start : token.end].decode()
            return _carrying(text[:previous_at].decode(), name, gap.end() if gap else token.end, selects, input_at)
        if token.word == "(" and previous == "INPUT":
            input_at = (previous_at, token.end)
        selects = selects or (token.word in ("SELECT", "WITH") and token.depth == 0)
        previous, previous_at = token.word, token.start
    return None


def _carrying(head: str, name: str, data_at: int, selects: bool, input_at: tuple[int, int] | None) -> Insert | None:
    """An INSERT ... SELECT takes data only through `input(...)`; the FORMAT of another one is for its empty answer."""
    if selects and input_at is None:
        return None
    return Insert(head, name, data_at, input_at if selects else None)
