"""`/etc/hosts`: an address, the name of the host, further names. See hosts(5).

The names of this machine itself (localhost, ip6-allnodes) are no hosts of a fleet and are left out. Several lines with
one name are one host with several addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext as _

from quarterdeck.inventory.exchange.files import open_text
from quarterdeck.inventory.exchange.records import BadRow, Format, Record, Rows

_OWN = ("localhost", "localhost.localdomain", "ip6-", "broadcasthost", "localhost4", "localhost6")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def read(path: Path) -> Rows:
    found: dict[str, Record] = {}
    with open_text(path) as file:
        for row, line in enumerate(file, 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            address = _address(words[0])
            if address is None or len(words) < 2:
                yield BadRow(
                    row,
                    "primary_ip",
                    _('expected an address and a name, found "%(line)s"') % {"line": line.strip()[:80]},
                )
            elif not address.is_loopback and not address.is_multicast and not words[1].startswith(_OWN):
                _add(found, row, str(address), words[1], words[2:])
    yield from found.values()


def _add(found: dict[str, Record], row: int, address: str, name: str, aliases: list[str]) -> None:
    fields = found.setdefault(name, Record(row, {"type": "host", "name": name, "primary_ip": address})).fields
    addresses = _merged(fields.get("ip_addresses", [fields["primary_ip"]]), [address])
    if len(addresses) > 1:
        fields["ip_addresses"] = addresses
    if aliases:
        fields["aliases"] = _merged(fields.get("aliases"), aliases)


def _merged(known: object, more: list[str]) -> list[str]:
    return list(dict.fromkeys(_texts(known) + more))


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _is_name(text: str) -> bool:
    return len(text.split()) == 1 and "#" not in text and not text.startswith(_OWN)


def _addresses(record: Record) -> list[str]:
    """The addresses that read back as they are: all of them if the primary one leads, else the primary one."""
    primary, others = str(record.fields.get("primary_ip") or ""), _texts(record.fields.get("ip_addresses"))
    wanted = others if others[:1] == [primary] else [primary]
    read_back = [_address(text) for text in wanted]
    usable = [a for a in read_back if a is not None and not a.is_loopback and not a.is_multicast]
    return wanted if [str(a) for a in usable] == wanted else [str(a) for a in usable if str(a) == primary]


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    """One line per address, the primary one first; what has no address or a name with blanks has no line."""
    stream.write(b"# exported from Quarterdeck\n")
    for record in records:
        name, aliases = str(record.fields.get("name", "")), _texts(record.fields.get("aliases"))
        names = [name, *aliases] if all(_is_name(alias) for alias in aliases) else [name]
        if _is_name(name):
            stream.writelines(" ".join([address, *names]).encode() + b"\n" for address in _addresses(record))


PLUGIN = Format("/etc/hosts", (".hosts",), read, write, type="host", file_names=("hosts",))
