"""Ansible inventories: INI, YAML, directories with group_vars and host_vars (also zipped). Written as YAML."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from quarterdeck.core.yamls import dump
from quarterdeck.inventory.exchange.ansible_files import load_inventory
from quarterdeck.inventory.exchange.ansible_vars import GROUPS, from_vars, implied_groups, is_secret, to_vars
from quarterdeck.inventory.exchange.archives import unpack
from quarterdeck.inventory.exchange.records import BadRow, Format, Record, Rows


def read(path: Path) -> Rows:
    if path.suffix.lower() != ".zip":
        yield from _read(path)
        return
    with tempfile.TemporaryDirectory(prefix="quarterdeck-ansible-") as directory:
        unpack(path, Path(directory))
        # An archive of one directory is that directory.
        inner = list(Path(directory).iterdir())
        yield from _read(inner[0] if len(inner) == 1 and inner[0].is_dir() else Path(directory))


def _read(path: Path) -> Rows:
    loaded = load_inventory(path)
    yield from loaded.problems
    for host in loaded.inventory.hosts:
        row = loaded.inventory.rows[host]
        variables = loaded.inventory.variables_of(host)
        secrets = [name for name, value in variables.items() if is_secret(name, value)]
        for name in secrets:
            yield BadRow(row, name, _("a secret of %(host)s is not stored; the host is") % {"host": host})
            del variables[name]
        yield Record(row, from_vars(host, variables, loaded.inventory.direct_groups[host]))


def hosts_of(records: Iterable[Record]) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Yield the unique inventory name, variables and groups of each record.

    A name that ansible would read as something else, or that two hosts share, is replaced; `qd_name` has the real one.
    """
    seen: set[str] = set()
    for record in records:
        fields = record.fields
        name = str(fields.get("name") or "unnamed")
        alias = inventory_name(name, fields.get("id") or record.row, seen)
        variables = to_vars(fields)
        if alias == name:
            variables.pop("qd_name", None)
        groups = fields.get(GROUPS)
        yield alias, variables, implied_groups(fields) + ([str(g) for g in groups] if isinstance(groups, list) else [])


def inventory_name(name: str, number: object, seen: set[str]) -> str:
    """Return `name`, or a safe and unused one made of it and `number`; adds it to `seen`."""
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name).strip("-.") or "host"
    # "web.yml" would find the variables of "web" in a directory of host_vars.
    alias = f"{safe}__{number}" if safe in seen or safe.endswith((".yml", ".yaml", ".json")) else safe
    seen.add(alias)
    return alias


def write(records: Iterable[Record], columns: Sequence[str], stream: BinaryIO) -> None:
    groups: dict[str, dict[str, dict[str, None]]] = {}
    stream.write(b"all:\n  hosts:\n")
    empty = True
    for alias, variables, names in hosts_of(records):
        empty = False
        body = _indented({alias: variables}, 4)
        stream.write(body)
        for name in names:
            groups.setdefault(name, {"hosts": {}})["hosts"][alias] = None
    if empty:
        stream.write(b"    {}\n")
    if groups:
        stream.write(b"  children:\n")
        for name in sorted(groups):
            stream.write(_indented({name: groups[name]}, 4))


def _indented(value: object, spaces: int) -> bytes:
    """A block of YAML moved to the right. Texts of several lines are in quotes there, where line starts fold away."""
    buffer = io.BytesIO()
    dump(value, buffer)
    return b"".join(b" " * spaces + line + b"\n" for line in buffer.getvalue().split(b"\n")[:-1])


PLUGIN = Format(
    "Ansible inventory (YAML)", (), read, write, type="host", media_type="application/yaml", directories=True
)
