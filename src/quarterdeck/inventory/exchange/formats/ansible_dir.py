"""An Ansible inventory directory, zipped: `hosts.yml` with the groups, `host_vars/NAME.yml` with the variables."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from quarterdeck.core.yamls import dump
from quarterdeck.inventory.exchange.formats.ansible import hosts_of, read
from quarterdeck.inventory.exchange.records import Format, Record


def _yaml(value: object) -> bytes:
    buffer = io.BytesIO()
    dump(value, buffer)
    return buffer.getvalue()


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    hosts: dict[str, None] = {}
    groups: dict[str, dict[str, dict[str, None]]] = {}
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for alias, variables, names in hosts_of(records):
            hosts[alias] = None
            archive.writestr(f"host_vars/{alias}.yml", _yaml(variables))
            for name in names:
                groups.setdefault(name, {"hosts": {}})["hosts"][alias] = None
        archive.writestr("hosts.yml", _yaml({"all": {"hosts": hosts, "children": dict(sorted(groups.items()))}}))


PLUGIN = Format(
    "Ansible inventory (directory)", (".zip",), read, write, type="host", media_type="application/zip", directories=True
)
