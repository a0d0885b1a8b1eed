"""Between the nested shape of an item, as the API shows it, and a record's flat fields.

{"type": "host", "name": "web1", "env": "prod", "labels": {"role": "web"},
 "attributes": {"cpu_count": 8}, "relations": {"runs_on": ["host:kvm1"]}}
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.records import LABEL, RELATION, BadRow, Record, Rows

_GROUPS = {"labels": LABEL, "attributes": "", "relations": RELATION}
# What stands at the top of an item rather than under "attributes".
ITEM_FIELDS = ("id", "type", "name", "state", "env", "provider", "account", "region", "primary_ip", "owner")
# Values that a cell of a document may expand to, by aliases above all.
_MAX_NODES = 5_000_000
_MAX_DEPTH = 64


def flatten(document: Mapping[str, object]) -> dict[str, object]:
    """Return the flat fields of a nested item. Raises BadInput when labels, attributes or relations are no maps."""
    fields: dict[str, object] = {}
    for key, value in document.items():
        if key not in _GROUPS:
            fields[key] = value
            continue
        if not isinstance(value, Mapping):
            raise BadInput(_('"%(field)s" must be a map of names to values') % {"field": key}, field=key)
        fields.update({f"{_GROUPS[key]}{name}": inner for name, inner in value.items()})
    return fields


def nest(fields: Mapping[str, object]) -> dict[str, object]:
    """Return the nested item of flat fields; the reverse of `flatten`."""
    document: dict[str, object] = {name: fields[name] for name in ITEM_FIELDS if name in fields}
    groups: dict[str, dict[str, object]] = {"labels": {}, "attributes": {}, "relations": {}}
    for name, value in fields.items():
        if name.startswith(LABEL):
            groups["labels"][name.removeprefix(LABEL)] = value
        elif name.startswith(RELATION):
            groups["relations"][name.removeprefix(RELATION)] = value
        elif name not in ITEM_FIELDS:
            groups["attributes"][name] = value
    return document | {name: group for name, group in groups.items() if group}


def records_of(document: object, file_name: str) -> Rows:
    """Yield the records of a parsed document: a list of items, one item, or `{"items": [...]}`."""
    check_bounds(document, file_name)
    if isinstance(document, Mapping):
        inner = document.get("items")
        elements = inner if isinstance(inner, list) else [document]
    elif isinstance(document, list):
        elements = document
    else:
        raise BadInput(_("%(name)s holds no list of items") % {"name": file_name}, hint=_("see docs/guides/import.md"))
    for row, element in enumerate(elements, 1):
        yield record_of(row, element)


def record_of(row: int, element: object) -> Record | BadRow:
    if not isinstance(element, Mapping):
        return BadRow(row, "", _("expected a map of fields to values"))
    wrong = [key for key in element if not isinstance(key, str)]
    if wrong:
        return BadRow(row, str(wrong[0]), _("the name of a field must be text"))
    try:
        return Record(row, flatten(element))
    except BadInput as error:
        return BadRow(row, error.field, error.message)


def check_bounds(document: object, file_name: str) -> None:
    """Raise BadInput when a document contains itself, is nested too deep or, by aliases, expands without end."""
    left = _MAX_NODES
    stack: list[tuple[object, int]] = [(document, 0)]
    while stack:
        value, depth = stack.pop()
        left -= 1
        if depth > _MAX_DEPTH or left < 0:
            raise BadInput(
                _("%(name)s contains itself, or values nested deeper than %(depth)d")
                % {"name": file_name, "depth": _MAX_DEPTH},
                hint=_("write the values out without aliases"),
            )
        if isinstance(value, Mapping):
            stack.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list | tuple | set):
            stack.extend((inner, depth + 1) for inner in value)
