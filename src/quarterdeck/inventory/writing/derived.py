"""What is derived from content: rows of the side index, unique values, and words for full text."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from quarterdeck.inventory.catalogue import AttributeSpec, TypeSpec
from quarterdeck.inventory.models import Kind
from quarterdeck.inventory.writing.content import LABEL, Content

IndexRow = tuple[str, str | None, float | None, str]  # field, text, number, name

TEXT_LENGTH = 200
_MAX_WORDS_LENGTH = 8_000
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORDS = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_NUMBERS = frozenset({Kind.INTEGER.value, Kind.NUMBER.value, Kind.REFERENCE.value})
_WORDY = frozenset(
    {Kind.TEXT.value, Kind.LONG_TEXT.value, Kind.IP.value, Kind.CIDR.value, Kind.MAC.value, Kind.URL.value}
    | {Kind.EMAIL.value, Kind.CHOICE.value}
)


def words(text: str) -> list[str]:
    """Split into lower-case words; each Chinese character is a word, so that any part of a sentence is a phrase."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _WORDS.findall(text.lower())


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """Return the address as sortable digits, `4:0a000001`, so that a network is a range of text."""
    packed = ipaddress.ip_address(address)
    return f"{packed.version}:{packed.packed.hex()}"


def seconds(value: str) -> float:
    """Return an ISO time or date as seconds since 1970."""
    at = datetime.fromisoformat(value)
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).timestamp()


def _plain(value: Any) -> str:
    return str(value).lower()[:TEXT_LENGTH]


# How the side index holds values of each kind: a number, or else a text.
_AS_NUMBER: Mapping[str, Callable[[Any], float]] = {
    **dict.fromkeys(_NUMBERS, float), Kind.DATETIME.value: seconds, Kind.DATE.value: seconds
}  # fmt: skip
_AS_TEXT: Mapping[str, Callable[[Any], str]] = {
    **dict.fromkeys(Kind.values, _plain),
    Kind.BOOLEAN.value: lambda value: "true" if value else "false", Kind.IP.value: address_key,
}  # fmt: skip


def _many(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else (value,)


def index_rows(spec: TypeSpec, content: Content) -> list[IndexRow]:
    """Return the rows of the side index, each once."""
    rows: dict[IndexRow, None] = {}
    name = content.get("name", "")
    for field, value in content.items():
        kind = spec.indexed.get(field, "")
        if kind in _AS_NUMBER:
            for one in _many(value):
                rows[(field, None, _AS_NUMBER[kind](one), "")] = None
        elif kind:
            for one in _many(value):
                rows[(field, _AS_TEXT[kind](one), None, name)] = None
        elif field == "name" or field.startswith(LABEL):
            rows[(field, _plain(value), None, name)] = None
        elif field == "primary_ip":
            rows[("ip", address_key(value), None, name)] = None
    return list(rows)


def unique_value(attribute: AttributeSpec, value: Any) -> str:
    """Return the value as it is compared: lower case; long ones as a digest."""
    text = str(value).lower()
    return text if len(text) <= 255 else blake2b(text.encode(), digest_size=32).hexdigest()


def unique_rows(spec: TypeSpec, content: Content) -> list[tuple[str, str]]:
    """Return `(field, value)` of every unique attribute that has a value."""
    return [
        (field, text)
        for field in spec.unique
        if content.get(field) is not None
        for text in {unique_value(spec.attributes[field], one) for one in _many(content[field])}
    ]


def _texts(spec: TypeSpec, content: Content) -> Iterator[str]:
    yield content.get("name", "")
    for field, value in content.items():
        kind = spec.indexed.get(field)
        if kind is not None:
            if kind in _WORDY:
                yield from map(str, _many(value))
        elif field.startswith(LABEL) or field in ("primary_ip", "owner", "account"):
            yield value


def search_words(spec: TypeSpec, content: Content) -> str:
    """Return the words by which full text finds the item: name, address, labels, indexed text attributes."""
    texts = dict.fromkeys(_texts(spec, content))
    return " ".join(words(" ".join(texts)))[:_MAX_WORDS_LENGTH]
