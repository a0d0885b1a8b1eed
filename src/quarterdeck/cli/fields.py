"""`key=value` arguments of commands, as the body that the API takes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from quarterdeck.cli.client import Client
from quarterdeck.core.errors import BadInput, Conflict, NotFound

COLUMNS = ("name", "state", "env", "provider", "account", "region", "primary_ip", "owner")


def _value(key: str, text: str, is_json: bool) -> Any:
    if not is_json:
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise BadInput(f"{key}:= is not JSON: {error}", hint="quote it for the shell: ports:='[80, 443]'") from error


def _place(key: str) -> tuple[str, str]:
    """Return where a key goes: ("", "env"), ("labels", "role") or ("attributes", "cpu_count")."""
    head, dot, rest = key.partition(".")
    if dot and head in ("label", "labels") and rest:
        return "labels", rest
    if dot and head == "attributes" and rest:
        return "attributes", rest
    return ("", key) if key in COLUMNS else ("attributes", key)


def _put(body: dict[str, Any], key: str, value: Any) -> None:
    part, name = _place(key)
    (body.setdefault(part, {}) if part else body)[name] = value


def body_of(pairs: Sequence[str], unset: Sequence[str] = ()) -> dict[str, Any]:
    """Return `{"env": "prod", "labels": {"role": "web"}, "attributes": {"cpu_count": "8"}}`.

    `key=text` sends text, which the instance reads by the attribute's kind; `key:=json` sends a list, number or null.
    Raises BadInput.
    """
    body: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        is_json = key.endswith(":")
        key = key.rstrip(":").strip()
        if not equals or not key:
            raise BadInput(f'"{pair}" is not key=value', hint="for example env=prod label.role=web cpu_count=8")
        _put(body, key, _value(key, text, is_json))
    for key in unset:
        _put(body, key, None)
    return body


def find_item(client: Client, reference: str) -> dict[str, Any]:
    """Return the item with this id, or the only one with this name ("web1", or "host/web1" to name its type)."""
    if reference.isascii() and reference.isdigit():
        found: dict[str, Any] = client.get(f"/items/{reference}")
        return found
    type_, slash, name = reference.partition("/")
    quoted = (name if slash else reference).replace("\\", "\\\\").replace('"', '\\"')
    query = f'type:{type_} name:"{quoted}"' if slash else f'name:"{quoted}"'
    items = client.get("/items", {"q": query, "limit": 3})["items"]
    if not items:
        raise NotFound(f'no item is named "{reference}"', hint=f"`qd search {reference}` looks everywhere")
    if len(items) > 1:
        ids = ", ".join(f"{item['type']} {item['id']}" for item in items)
        raise Conflict(f'several items are named "{reference}": {ids}', hint="name one by its id, or as type/name")
    only: dict[str, Any] = client.get(f"/items/{items[0]['id']}")
    return only
