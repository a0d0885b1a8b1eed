"""Writes docs/reference/plugins.md from what the plug-in families hold."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from pages import finish, set_up

_HEAD = """# Plug-ins

<!-- Made from the code by docs/bin/reference_plugins.py; do not edit. -->

A plug-in is a module that exports `PLUGIN`. Ours stand in the package named below; another package adds one by an
entry point in the group of that name.
"""


def _first_line(module: str) -> str:
    text = sys.modules[module].__doc__ or ""
    return text.strip().splitlines()[0] if text.strip() else ""


def _family(title: str, family: str, kind: type) -> Iterator[str]:
    from quarterdeck.core.plugins import plugins

    yield f"## {title}: `{family}`\n"
    yield "| name | what it does |\n|---|---|"
    yield from (f"| `{name}` | {_first_line(f'{family}.{name}')} |" for name in plugins(family, kind))
    yield ""


def render() -> str:
    """Return the whole page."""
    set_up()
    from quarterdeck.inventory.connectors.connector import Connector
    from quarterdeck.inventory.exchange.records import Format
    from quarterdeck.telemetry.receiving import FAMILY, Receiver

    lines = [_HEAD]
    lines += _family("Sources", "quarterdeck.inventory.connectors", Connector)
    lines += _family("File formats", "quarterdeck.inventory.exchange.formats", Format)
    lines += _family("Receivers", FAMILY, Receiver)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(finish("plugins", render()))
