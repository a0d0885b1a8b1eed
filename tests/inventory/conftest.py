"""Records as sources hand them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.inventory.actions import apply
from quarterdeck.inventory.found import Applied, Found
from quarterdeck.inventory.models import Item

Sync = Callable[..., Applied]


def host(name: str, attributes: dict[str, Any] | None = None, **fields: Any) -> Found:
    """A host whose key at its source is its name."""
    return Found(fields.pop("type", "host"), fields.pop("key", name), name, attributes or {}, **fields)


@pytest.fixture
def sync(db: None) -> Sync:
    """Apply records as the system does: `sync(host("a"), host("b"), source="cloud", complete=True)`."""

    def run(*found: Found, source: str = "cloud", **options: Any) -> Applied:
        return apply(SYSTEM, found, source, **options)

    return run


@pytest.fixture
def item(sync: Sync) -> Item:
    """One observed host."""
    sync(host("db1", {"cpu_count": 4, "os_name": "debian"}, env="prod", labels={"role": "db"}))
    return Item.objects.get(name="db1")
