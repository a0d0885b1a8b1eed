"""Values between a form's text and the inventory's JSON. What is valid is the inventory's to say."""

from __future__ import annotations

import json
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.catalogue import AttributeSpec
from quarterdeck.inventory.models import Kind


def typed_value(spec: AttributeSpec | None, text: str) -> Any:
    """Return what `text` means for an attribute: lists a line each, numbers as numbers; "" is None (take it back)."""
    if not text.strip():
        return None
    if spec is None:
        return text.strip()
    if spec.kind == Kind.JSON:
        return _json(spec, text)
    if spec.is_list:
        return [_one(spec, line.strip()) for line in text.splitlines() if line.strip()]
    return _one(spec, text if spec.kind == Kind.LONG_TEXT else text.strip())


def _one(spec: AttributeSpec, text: str) -> Any:
    """A number that does not read stays text, and the inventory says what is wrong with it."""
    if spec.kind == Kind.BOOLEAN:
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    try:
        if spec.kind == Kind.INTEGER:
            return int(text.replace(",", ""))
        return float(text.replace(",", "")) if spec.kind == Kind.NUMBER else text
    except ValueError:
        return text


def _json(spec: AttributeSpec, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(
            _("%(title)s is not JSON: %(error)s") % {"title": spec.title, "error": error}, field=spec.code
        ) from error


def as_text(spec: AttributeSpec, value: Any) -> str:
    """Return what the form shows for a value; `typed_value` of it gives the value back."""
    if value is None:
        return ""
    if spec.kind == Kind.JSON:
        return json.dumps(value, ensure_ascii=False, indent=2)
    if spec.is_list and isinstance(value, list):
        return "\n".join(str(part) for part in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def labels_as_text(labels: dict[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(labels.items()))


def labels_of(text: str) -> dict[str, str]:
    """Read `name=value` lines. Raises BadInput for a line without a name."""
    labels = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _separator, value = line.partition("=")
        if not name.strip():
            raise BadInput(
                _('"%(line)s" is not a label.') % {"line": line[:60]}, hint=_("Write name=value."), field="labels"
            )
        labels[name.strip()] = value.strip()
    return labels
