"""A record of a file as something found: names understood, cells of flat formats turned into values."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.utils.translation import gettext as _

from quarterdeck.inventory.catalogue import HOT_FIELDS, TypeCatalogue, TypeSpec
from quarterdeck.inventory.exchange.ansible_vars import VARIABLES
from quarterdeck.inventory.exchange.files import MAX_CELL_CHARS
from quarterdeck.inventory.exchange.records import LABEL, RELATION, BadRow, Record
from quarterdeck.inventory.found import STRENGTHS, Found
from quarterdeck.inventory.models import Kind

# What people call a column, when the type has no attribute of that name.
_ALIASES = {
    "hostname": "name",
    "host": "name",
    "address": "primary_ip",
    "ip": "primary_ip",
    "ip_address": "primary_ip",
    "port": "ssh_port",
    "user": "ssh_user",
    "username": "ssh_user",
    "environment": "env",
    "kind": "type",
}
_DNS_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)+\.?")
# What the API shows of an item and nobody sets by a file.
_READ_ONLY = frozenset(
    {"raw_state", "lifecycle", "lifecycle_at", "first_seen", "last_seen", "updated_at", "version", "desired", "drift"}
    | {"url", "links", "merged_into"}
)
# Which values are keys by which other sources know the same host.
_IDENTITIES = (("serial", "serial"), ("machine_id", "machine_id"), ("mac_addresses", "mac"), ("primary_ip", "ip"))


class BadCell(ValueError):
    """A field that cannot be understood."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Reading:
    """How the records of one file are to be understood. `type` is for records that name none; `key` matches items."""

    types: TypeCatalogue
    flat: bool
    type: str = ""
    key: str = "name"
    keeps_unknown: bool = False

    def found_of(self, record: Record) -> Found | BadRow:
        """Return the record as something found, or what is wrong with it."""
        try:
            return self._found(record)
        except BadCell as error:
            return BadRow(record.row, error.field, error.message)

    def _found(self, record: Record) -> Found:
        spec = self._spec(record.fields)
        fields = self._named(record.fields, spec)
        key = fields.get(self.key) if self.key not in ("", "id") else fields.get("name")
        name = str(fields.get("name") or key or "").strip()
        if not name:
            raise BadCell("name", _("the row has no name"))
        if key in (None, ""):
            raise BadCell(self.key, _("the row has no value for the match key"))
        hot: dict[str, Any] = {
            field: str(fields[field]) for field in HOT_FIELDS[1:] if fields.get(field) not in (None, "")
        }
        values = {field: value for field, value in fields.items() if field in spec.attributes or self._is_odd(field)}
        attributes = {field: self._value(spec, field, value) for field, value in values.items()}
        return Found(
            type=spec.code,
            external_id=str(key).strip()[:255],
            name=name,
            attributes=attributes,
            labels=_labels(fields),
            relations=self._relations(fields),
            identities=_identities(spec, name, hot | attributes),
            row=record.row,
            item_id=_item_id(fields),
            **hot,
        )

    def _spec(self, fields: Mapping[str, Any]) -> TypeSpec:
        code = str(fields.get("type") or self.type or "").strip()
        if not code:
            raise BadCell("type", _("the row names no type, and none was given for the file"))
        if code not in self.types.types:
            raise BadCell("type", _('there is no type "%(type)s"') % {"type": code[:60]})
        return self.types.types[code]

    def _named(self, fields: Mapping[str, Any], spec: TypeSpec) -> dict[str, Any]:
        """Return the fields under the inventory's names; what has none goes to the rest, if the type keeps one."""
        named: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        for original, value in fields.items():
            if isinstance(value, str) and len(value) > MAX_CELL_CHARS:
                text = _("%(n)d characters; at most %(limit)d are read") % {"n": len(value), "limit": MAX_CELL_CHARS}
                raise BadCell(original[:64], text)
            field = _field(original, spec)
            if field == "primary_ip" and original != field and "fqdn" in spec.attributes and _is_dns_name(value):
                field = "fqdn"
            if field in named:
                raise BadCell(original, _('two columns mean "%(field)s"') % {"field": field})
            if self.keeps_unknown and self._is_odd(field) and field not in spec.attributes:
                rest[original] = value
            elif field not in _READ_ONLY:
                named[field] = value
        if rest and VARIABLES in spec.attributes:
            given = named.get(VARIABLES)
            named[VARIABLES] = rest | (given if isinstance(given, dict) else {})
            return named
        return named | rest

    def _is_odd(self, field: str) -> bool:
        """Whether a field is neither the item's own nor a label or relation: an attribute, or unknown."""
        return field not in (*HOT_FIELDS, "id", "type") and not field.startswith((LABEL, RELATION))

    def _value(self, spec: TypeSpec, field: str, value: Any) -> Any:
        attribute = spec.attributes.get(field)
        if not self.flat or attribute is None or not isinstance(value, str):
            return value
        return from_cell(value, attribute.kind, attribute.is_list, field)

    def _relations(self, fields: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        found = []
        for field, value in fields.items():
            if field.startswith(RELATION):
                targets = from_cell(value, Kind.TEXT, True, field) if self.flat and isinstance(value, str) else value
                kind = field.removeprefix(RELATION)
                found += [
                    (kind, *self._target(field, one)) for one in (targets if isinstance(targets, list) else [targets])
                ]
        return found

    def _target(self, field: str, target: Any) -> tuple[str, str]:
        kind, separator, key = str(target).partition(":")
        if not separator or not key or (kind not in self.types.types and kind not in STRENGTHS):
            text = _('"%(target)s" names no item; write its type and name: host:db1') % {"target": str(target)[:80]}
            raise BadCell(field, text)
        return kind, key


def _field(original: str, spec: TypeSpec) -> str:
    """The inventory's name of a column. Labels and relations keep their letters' case, all else is lower case."""
    if original in spec.attributes or original in HOT_FIELDS or original.startswith((LABEL, RELATION)):
        return original
    for prefix in (LABEL, RELATION):
        if original.lower().startswith(prefix):
            return prefix + original[len(prefix) :]
    field = original.strip().lower().replace(" ", "_").replace("-", "_")
    return field if field in spec.attributes else _ALIASES.get(field, field)


def _is_dns_name(value: Any) -> bool:
    """Whether an "address" is a name with a domain rather than an IP address."""
    return isinstance(value, str) and bool(_DNS_NAME.fullmatch(value.strip()))


def _labels(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field.removeprefix(LABEL): value
        for field, value in fields.items()
        if field.startswith(LABEL) and value is not None
    }


def _item_id(fields: Mapping[str, Any]) -> int | None:
    text = str(fields.get("id") or "").strip()
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _identities(spec: TypeSpec, name: str, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The keys that let a source which finds the same host later know it again."""
    if spec.code != "host":
        return []
    found = [("hostname", name)]
    for field, kind in _IDENTITIES:
        value = values.get(field)
        found += [(kind, str(one)) for one in (value if isinstance(value, list) else [value]) if one not in (None, "")]
    return [(kind, value) for kind, value in found if kind != "ip" or not _is_private_to_host(value)]


def _is_private_to_host(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return True


def from_cell(text: str, kind: str, is_list: bool, field: str) -> Any:
    """Return the value of a flat format's cell: lists and JSON are JSON texts; lists may be written with commas."""
    if (is_list and text.lstrip().startswith("[")) or (kind == Kind.JSON and not is_list):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadCell(field, _("not JSON: %(error)s") % {"error": error}) from error
    if kind == Kind.REFERENCE and not is_list and text.strip().isdecimal():
        return int(text)
    if is_list:
        return [part.strip() for part in text.replace("\n", ",").replace(";", ",").split(",") if part.strip()]
    return text


def to_cell(value: Any, kind: str) -> Any:
    """Return a value as a flat format's cell; the reverse of `from_cell`."""
    if isinstance(value, list | dict) or kind == Kind.JSON:
        return orjson.dumps(value).decode()
    return ("true" if value else "false") if isinstance(value, bool) else value
