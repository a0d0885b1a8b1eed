"""The inventory as Ansible's dynamic inventory, the JSON that `ansible -i SCRIPT` asks a script for.

See https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html#inventory-scripts
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery, NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory import queries
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.exchange.ansible_vars import GROUPS, group_name, implied_groups, to_vars
from quarterdeck.inventory.exchange.formats.ansible import inventory_name
from quarterdeck.inventory.exchange.records import LABEL
from quarterdeck.inventory.models import Item, Kind

_COLUMNS = (
    "id",
    "name",
    "state",
    "env",
    "provider",
    "account",
    "region",
    "primary_ip",
    "owner",
    "labels",
    "attributes",
)
# Facts that change by the minute or fill pages: a play that wants them gathers its own.
_LEFT_OUT = frozenset({"top_processes", "logged_in_users", "listening_ports", "interfaces", "disks", "filesystems"})


def dynamic_inventory(actor: Actor, q: str = "") -> dict[str, Any]:
    """Return the hosts that `q` selects and `actor` may see:

        {"_meta": {"hostvars": {"web1": {"ansible_host": "10.0.0.1", ...}}}, "all": {"children": [...]},
         "env_prod": {"hosts": ["web1"]}, "label_role_web": {"hosts": ["web1"]}, "view_databases": {"hosts": [...]}}

    Groups come from types, environments, providers, regions, labels, groups of imported Ansible inventories, and
    shared saved views. Hosts of one name get their number behind it. Raises BadQuery.
    """
    hosts = _hosts(actor, q)
    names: dict[int, str] = {}
    seen: set[str] = set()
    hostvars: dict[str, Any] = {}
    groups: dict[str, list[str]] = {}
    for pk, fields in hosts:
        name = names[pk] = inventory_name(str(fields["name"]), pk, seen)
        hostvars[name] = to_vars(fields)
        if name == fields["name"]:
            hostvars[name].pop("qd_name")
        own = fields.get(GROUPS)
        for group in {*implied_groups(fields), *(map(group_name, own) if isinstance(own, list) else ())}:
            groups.setdefault(group, []).append(name)
    for group, ids in _views(actor):
        groups[group] = [names[pk] for pk in ids if pk in names]
    found: dict[str, Any] = {
        group: {"hosts": members}
        for group, members in sorted(groups.items())
        if group not in ("all", "_meta", "ungrouped")
    }
    return {"_meta": {"hostvars": hostvars}, "all": {"children": ["ungrouped", *found]}, **found}


def host_variables(inventory: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the variables of one host of `dynamic_inventory`. Raises NotFound with the near name."""
    hostvars: dict[str, dict[str, Any]] = inventory["_meta"]["hostvars"]
    if name not in hostvars:
        raise NotFound(f'there is no host "{name}"', hint=did_you_mean(name, hostvars))
    return hostvars[name]


def _hosts(actor: Actor, q: str) -> Iterable[tuple[int, dict[str, Any]]]:
    """Yield `(id, flat fields)`. Plain values instead of models: 30,000 hosts are asked for by one command."""
    spec = catalogue().types["host"]
    hidden = _hidden("host")
    rows = queries.items(actor, q, "id").filter(type_id=spec.id).select_related(None).values_list(*_COLUMNS)
    for pk, *columns in rows.iterator(2_000):
        yield pk, {"type": "host"} | _flat([pk, *columns], hidden)


def fields_of(item: Item) -> dict[str, Any]:
    """Return the flat fields of one item, without secrets: `{"id": 7, "type": "host", "label:role": "web", ...}`."""
    kind = item.type.code
    return {"type": kind} | _flat([getattr(item, name) for name in _COLUMNS], _hidden(kind))


def _hidden(kind: str) -> frozenset[str]:
    """Return the codes of a type's attributes that are secret, or too long for a variable."""
    spec = catalogue().types[kind]
    return _LEFT_OUT | {code for code, one in spec.attributes.items() if one.kind == Kind.SECRET}


def _flat(row: Sequence[Any], hidden: frozenset[str]) -> dict[str, Any]:
    """Return the fields of a row with the values of `_COLUMNS`."""
    pk, *columns, labels, attributes = row
    fields: dict[str, Any] = {"id": pk}
    fields.update((name, value) for name, value in zip(_COLUMNS[1:9], columns, strict=True) if value)
    fields.update((code, value) for code, value in attributes.items() if code not in hidden)
    fields.update((LABEL + name, value) for name, value in labels.items())
    return fields


def _views(actor: Actor) -> Iterable[tuple[str, list[int]]]:
    host_type = catalogue().types["host"].id
    for view in queries.views(actor):
        if view.shared:
            try:
                selected: Any = queries.items(actor, view.query, "id").filter(type_id=host_type).select_related(None)
            except BadQuery:
                continue  # a view whose attribute was removed since: its page says so, other groups still work
            yield group_name("view", view.slug), list(selected.values_list("pk", flat=True))
