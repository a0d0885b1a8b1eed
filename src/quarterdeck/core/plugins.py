"""One shape for every plug-in family: a module that exports `PLUGIN`, ours and third parties' alike.

Ours are the modules of a package (`quarterdeck.inventory.connectors`); a third party adds one by an entry point in
the group of that same name. The plug-in's name is its module's, or the entry point's.
See https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")


@cache
def _load(family: str) -> MappingProxyType[str, object]:
    package = importlib.import_module(family)
    found: dict[str, object] = {}
    for module in pkgutil.iter_modules(package.__path__):
        plugin = getattr(importlib.import_module(f"{family}.{module.name}"), "PLUGIN", None)
        if plugin is not None:
            found[module.name] = plugin
    for entry in entry_points(group=family):
        found.setdefault(entry.name, entry.load())
    return MappingProxyType(dict(sorted(found.items())))


def plugins(family: str, kind: type[T]) -> dict[str, T]:
    """Return `{"name": PLUGIN}` of a family, such as `"quarterdeck.inventory.connectors"`, ordered by name.

    A plug-in of another kind than `kind` raises TypeError: that is a bug of the plug-in, found at start.
    """
    found: dict[str, T] = {}
    for name, plugin in _load(family).items():
        if not isinstance(plugin, kind):
            raise TypeError(f"{family}: {name} exports a {type(plugin).__name__}, expected a {kind.__name__}")
        found[name] = plugin
    return found
