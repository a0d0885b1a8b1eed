"""Writes docs/reference/api.md from the API's own description. `--check` only tells whether it is up to date."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "reference" / "api.md"
_CONVENTIONS = {
    "Errors": "problems",
    "Pages": "paging",
    "Versions of items": "etags",
    "Writes that happen once": "idempotency",
    "Rates": "limits",
    "WebSockets": "sockets",
}
# Removed when the program ends.
_DATA = tempfile.TemporaryDirectory(prefix="quarterdeck-docs-")
_HEAD = """# HTTP API

<!-- Made from the code by docs/bin/reference_api.py; do not edit. -->

Everything below is under `/api/v1`. `GET /api/v1/openapi.json` is the same as an OpenAPI 3.1 description, and
`/api/v1/docs` shows it as a page. Send `Authorization: Bearer TOKEN`; `quarterdeck token create` makes a token. A
signed-in browser may use its session instead, with the CSRF cookie's value as `X-CSRFToken` on writes.
"""


def _set_up() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quarterdeck.conf.settings")
    os.environ.setdefault("QD_DATA", _DATA.name)
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()


def _conventions() -> Iterator[str]:
    for title, module in _CONVENTIONS.items():
        text = inspect.getdoc(importlib.import_module(f"quarterdeck.api.{module}"))
        yield f"## {title}\n\n{text}\n"


def _kind(schema: dict[str, Any]) -> str:
    kinds = [schema.get("type")] if "type" in schema else [part.get("type") for part in schema.get("anyOf", [])]
    return " or ".join(str(kind) for kind in kinds if kind and kind != "null") or "any"


def _bounds(schema: dict[str, Any]) -> str:
    named = {"minimum": "from", "maximum": "to", "default": "default"}
    return ", ".join(f"{word} {schema[key]}" for key, word in named.items() if schema.get(key) not in (None, ""))


def _fields(operation: dict[str, Any], components: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header":
            continue
        schema = parameter["schema"]
        notes = [_bounds(schema), parameter.get("description") or schema.get("description", "")]
        said = "; ".join(note for note in notes if note)
        yield f"- `{parameter['name']}` ({parameter['in']}, {_kind(schema)}){': ' + said if said else ''}"
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content["schema"]
        schema = components.get(schema.get("$ref", "").rpartition("/")[2], schema)
        required = schema.get("required", [])
        names = [f"`{name}`" + (" (required)" if name in required else "") for name in schema.get("properties", {})]
        yield f"- body ({media}): {', '.join(names)}"


def _operation(method: str, path: str, operation: dict[str, Any], components: dict[str, Any]) -> str:
    good = ", ".join(str(status) for status in operation["responses"] if str(status) < "400")
    lines = [f"### {method.upper()} {path.removeprefix('/api/v1')}", "", operation.get("description", "").strip(), ""]
    lines += [*_fields(operation, components), f"- answers {good}", ""]
    return "\n".join(lines)


def render() -> str:
    """Return the whole page."""
    _set_up()
    from quarterdeck.api.main import api

    schema = api.get_openapi_schema(path_prefix="/api/v1/")
    groups: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            text = _operation(method, path, operation, schema["components"]["schemas"])
            groups.setdefault(operation["tags"][0], []).append(text)
    parts = [_HEAD, *_conventions()]
    parts += [
        f"## {tag.replace('_', ' ').capitalize()}\n\n" + "\n".join(group) for tag, group in sorted(groups.items())
    ]
    return "\n".join(parts).rstrip() + "\n"


def main() -> int:
    text = render()
    if "--check" in sys.argv:
        same = TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text
        print(f"{TARGET.name} " + ("is up to date" if same else "differs; run docs/bin/reference_api.py"))  # noqa: T201
        return 0 if same else 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
