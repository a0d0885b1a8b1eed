"""What every long-lived process does first: tie itself to its supervisor, open its log."""

from __future__ import annotations

import os
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

from quarterdeck.conf.logs import configure
from quarterdeck.conf.options import Setting, load
from quarterdeck.core.processes import die_with_parent


def begin(name: str, data: Path) -> dict[str, Setting]:
    """Begin the process `name` ("web", "intake", ...) on the instance in `data`; return the settings in force."""
    if supervisor := os.environ.get("QD_SUPERVISOR"):
        die_with_parent(int(supervisor))
    if name != "engine":
        sys.meta_path.insert(0, _NoNumpy())
    settings = load()
    secrets = [str(setting.value) for setting in settings.values() if setting.option.secret and setting.value]
    configure(data, name, str(settings["log_level"].value), secrets)
    return settings


class _NoNumpy(MetaPathFinder):
    """Says that numpy is not installed.

    It is, because chDB in the engine needs it; openpyxl and others load it wherever they find it, 20 MB and 0.2 s in
    each process, and use it for nothing of ours. A None in `sys.modules` would do the same for them, but psycopg takes
    any entry there for the module.
    """

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "numpy":
            raise ModuleNotFoundError("numpy is for the engine's process only", name="numpy")
