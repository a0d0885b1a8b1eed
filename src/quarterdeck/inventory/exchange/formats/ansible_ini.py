"""Ansible's INI inventory. Reading is the same for all of Ansible's formats."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from quarterdeck.inventory.exchange.ansible_ini import write_value
from quarterdeck.inventory.exchange.formats.ansible import hosts_of, read
from quarterdeck.inventory.exchange.records import Format, Record


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    groups: dict[str, list[str]] = {}
    stream.write(b"# exported from Quarterdeck\n")
    for alias, variables, names in hosts_of(records):
        words = [alias, *(f"{name}={write_value(value)}" for name, value in variables.items())]
        stream.write(" ".join(words).encode() + b"\n")
        for name in names:
            groups.setdefault(name, []).append(alias)
    for name in sorted(groups):
        stream.write("\n".join([f"\n[{name}]", *groups[name], ""]).encode())


PLUGIN = Format("Ansible inventory (INI)", (".ini",), read, write, type="host", directories=True)
