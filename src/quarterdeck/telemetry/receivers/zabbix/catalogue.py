"""What agents measure: the built-in items.yaml, or the file that the setting `zabbix_items` names."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import re2

from quarterdeck.core import yamls
from quarterdeck.core.errors import BadInput
from quarterdeck.telemetry.receivers.zabbix import keys
from quarterdeck.telemetry.receiving import Refused

# Until a host's file systems and interfaces are known they are asked for this often.
FIRST_DISCOVERY_SECONDS = 60
_MACRO = re.compile(r"\{#[A-Z0-9_.]+\}")
# A host with more file systems or interfaces than this has them made by something else, such as containers.
FOUND_MAX = 500


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key, measured every `delay` seconds."""

    key: str
    delay: int


class Discovery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`key` lists things of a host by macros (`{"{#FSNAME}": "/"}`); for each that is kept there are `items`."""

    key: str
    delay: int
    items: list[Item]
    keep: dict[str, str] = {}

    def expanded(self, found: Sequence[Mapping[str, str]]) -> Iterator[Item]:
        """Yield the items of what was found: `[{"{#FSNAME}": "/", "{#FSTYPE}": "ext4"}]`."""
        for one in [one for one in found if self._keeps(one)][:FOUND_MAX]:
            values = {name: keys.quoted(value) for name, value in one.items()}
            for item in self.items:
                yield Item(_replaced(item.key, values), item.delay)

    def _keeps(self, one: Mapping[str, str]) -> bool:
        return all(re2.search(pattern, one.get(macro, "")) for macro, pattern in self.keep.items())


def _replaced(key: str, values: Mapping[str, str]) -> str:
    return _MACRO.sub(lambda match: values.get(match[0], match[0]), key)


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Items for the hosts that `query` selects in the inventory; "" for all hosts."""

    name: str
    query: str = ""
    items: list[Item] = []
    discoveries: list[Discovery] = []


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    groups: list[Group]
    parameters: dict[str, list[str]] = {}
    texts: list[str] = []

    @property
    def discoveries(self) -> dict[str, Discovery]:
        return {discovery.key: discovery for group in self.groups for discovery in group.discoveries}


def item_id(key: str) -> int:
    """Return the number under which agents from 7.0 on send a key's values; the same one after a restart."""
    return zlib.crc32(key.encode()) or 1


def load(path: str = "") -> Catalogue:
    """Return the catalogue in the file, the built-in one for "". Raises BadInput with what is wrong in it.

    A file that has changed is read again. What it does not say of parameters and texts is as in the built-in one.
    """
    if not path:
        return _builtin()
    try:
        return _read(path, Path(path).stat().st_mtime_ns)
    except OSError as error:
        raise BadInput(
            f'the file "{path}" with Zabbix items cannot be read: {error.strerror}',
            hint="QD_ZABBIX_ITEMS names it; empty means the built-in items",
        ) from error


@lru_cache(1)
def _builtin() -> Catalogue:
    return _parsed(files(__package__ or "").joinpath("items.yaml").read_text(encoding="utf-8"), "items.yaml")


@lru_cache(4)
def _read(path: str, changed_ns: int) -> Catalogue:
    own = _parsed(Path(path).read_text(encoding="utf-8"), path)
    builtin = _builtin()
    return msgspec.structs.replace(
        own, parameters={**builtin.parameters, **own.parameters}, texts=[*builtin.texts, *own.texts]
    )


def _parsed(text: str, name: str) -> Catalogue:
    try:
        found = msgspec.convert(yamls.load(text, name), Catalogue)
        for group in found.groups:
            _check(group)
    except (BadInput, msgspec.ValidationError, Refused, re2.error, ValueError) as error:
        raise BadInput(
            f"{name} is no list of Zabbix items: {error}", hint="compare it with the built-in one"
        ) from error
    return found


def _check(group: Group) -> None:
    for discovery in group.discoveries:
        for pattern in discovery.keep.values():
            re2.compile(pattern)
        for item in discovery.items:
            keys.parse(_MACRO.sub("x", item.key))
    for one in _timed(group):
        if not 1 <= one.delay <= 86_400:
            raise ValueError(f'the delay of "{one.key}" is not from 1 to 86400 seconds')
        keys.parse(_MACRO.sub("x", one.key))


def _timed(group: Group) -> Iterator[Item | Discovery]:
    yield from group.items
    yield from group.discoveries
    for discovery in group.discoveries:
        yield from discovery.items


def found_in(value: str) -> list[dict[str, str]]:
    """Return what the value of a discovery's key lists; both forms, `[...]` and that of 4.0, `{"data": [...]}`.

    Raises Refused.
    """
    try:
        listed: Any = msgspec.json.decode(value.encode())
        listed = listed.get("data") if isinstance(listed, dict) else listed
        rows = msgspec.convert(listed, list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError, RecursionError) as error:
        raise Refused(f"this is no list of what was discovered: {error}", reason="bad_discovery") from error
    return [{name: str(text) for name, text in row.items() if _MACRO.fullmatch(name)} for row in rows]
