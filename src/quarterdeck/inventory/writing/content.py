"""What a source says, flat: `{"name": "db1", "env": "prod", "label.role": "db", "cpu_count": 8}`.

Hot columns, labels and attributes share one namespace, so that validation, authority, history and drift are written
once for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from operator import attrgetter
from typing import Any

import orjson
from django.utils.translation import gettext as _

from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory.catalogue import HOT_FIELDS, TypeCatalogue, TypeSpec
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Item, State
from quarterdeck.inventory.values import MAX_TEXT, Check, ip_address, shown

Content = dict[str, Any]
Complaint = tuple[str, str]  # field, sentence

LABEL = "label."
_LABEL_NAME = re.compile(r"[^\W_][\w./\-]{0,126}")
_LIMITS = {"name": 255, "raw_state": 80, "env": 64, "provider": 64, "account": 128, "region": 64, "owner": 128}
_LOWER = frozenset({"env", "provider", "region"})
_STATES = frozenset(State.values)
_HOT = frozenset(HOT_FIELDS)
_hot_values = attrgetter(*HOT_FIELDS)
_HASH_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def _hot(field: str, value: Any) -> str:
    """Return the value of a hot column in its stored form, or raise ValueError with a sentence."""
    if not isinstance(value, str | int | float):
        raise ValueError(_("expected text"))
    text = str(value).strip()
    if "\x00" in text:
        raise ValueError(_("the text contains a NUL character"))
    if field == "state":
        text = text.lower()
        if text not in _STATES:
            raise ValueError(
                _('"%(found)s" is not one of %(allowed)s') % {"found": shown(text), "allowed": ", ".join(State.values)}
            )
    elif field == "primary_ip":
        return ip_address(text)
    elif len(text) > _LIMITS[field]:
        raise ValueError(
            _("%(found)d characters, at most %(limit)d are allowed") % {"found": len(text), "limit": _LIMITS[field]}
        )
    return text.lower() if field in _LOWER else text


def _label(name: str, value: Any) -> str:
    if not _LABEL_NAME.fullmatch(name):
        raise ValueError(_("a label's name has letters, digits and . _ - /, at most 127 characters"))
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if not isinstance(value, str | int | float) or len(text) > MAX_TEXT or "\x00" in text:
        raise ValueError(_("a label's value is text of at most %(limit)d characters") % {"limit": MAX_TEXT})
    return text


_HOT_CHECKS: Mapping[str, Check] = {field: partial(_hot, field) for field in HOT_FIELDS}


def _checker_of(spec: TypeSpec, field: str) -> Check | None:
    attribute = spec.attributes.get(field)
    if attribute is not None:
        return attribute.check
    return partial(_label, field[len(LABEL) :]) if field.startswith(LABEL) else _HOT_CHECKS.get(field)


def unknown(spec: TypeSpec, field: str) -> str:
    """Return the sentence for a field that the type does not have."""
    near = did_you_mean(field, [*spec.attributes, *HOT_FIELDS])
    return _('type %(type)s has no attribute "%(field)s"') % {"type": spec.code, "field": shown(field)} + (
        f"; {near}" if near else ""
    )


def checked(spec: TypeSpec, values: Mapping[str, Any]) -> tuple[Content, list[Complaint]]:
    """Return the values in their stored form, and what is wrong with the others. None stays None."""
    content: Content = {}
    complaints: list[Complaint] = []
    for field, value in values.items():
        check = _checker_of(spec, field)
        if check is None:
            complaints.append((shown(field), unknown(spec, field)))
        elif value is None:
            content[field] = None
        else:
            try:
                content[field] = check(value)
            except ValueError as error:
                complaints.append((field, str(error)))
    return content, complaints


def _said(found: Found) -> Content:
    said: Content = {field: value for field, value in zip(HOT_FIELDS, _hot_values(found), strict=True) if value}
    said.setdefault("name", found.external_id)
    said.update((LABEL + str(name), value) for name, value in found.labels.items())
    said.update((code, value) for code, value in found.attributes.items() if value is not None and value != "")
    return said


def content_of(found: Found, spec: TypeSpec) -> tuple[Content, list[Complaint]]:
    """Return what the row says, checked, and the complaints. Empty text says nothing."""
    clash = [code for code in found.attributes if code in _HOT or str(code).startswith(LABEL)]
    content, complaints = checked(spec, _said(found))
    complaints.extend((code, _("this is a column of every item, not an attribute")) for code in clash)
    return content, complaints


def hash_of(found: Found, catalogue: TypeCatalogue) -> bytes:
    """Return 16 bytes that change when the row or any definition changes: equal means nothing to do."""
    said = [
        catalogue.version,
        _hot_values(found),
        found.attributes,
        found.labels,
        found.identities,
        found.relations,
        found.gone,
    ]
    return blake2b(orjson.dumps(said, default=_plain, option=_HASH_OPTIONS), digest_size=16).digest()


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple | set) else str(value)


def content_of_item(item: Item) -> Content:
    """Return the item's effective content, flat. The state "unknown" is the absence of one."""
    content: Content = {field: value for field in HOT_FIELDS if (value := getattr(item, field))}
    if item.state == State.UNKNOWN:
        del content["state"]
    content.update((LABEL + name, value) for name, value in item.labels.items())
    content.update(item.attributes)
    return content


def put_into(item: Item, content: Content) -> None:
    """Write flat content to the item's columns, labels and attributes."""
    for field in HOT_FIELDS:
        setattr(item, field, content.get(field) or "")
    item.primary_ip = content.get("primary_ip") or None
    item.state = content.get("state") or State.UNKNOWN.value
    item.labels = {}
    item.attributes = {}
    for field, value in content.items():
        if field.startswith(LABEL):
            item.labels[field[len(LABEL) :]] = value
        elif field not in _HOT:
            item.attributes[field] = value
