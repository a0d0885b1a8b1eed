"""What every long-lived process does first: tie itself to its supervisor, open its log."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from quarterdeck.conf.logs import configure
from quarterdeck.conf.options import Setting, load
from quarterdeck.core.processes import die_with_parent


def begin(name: str, data: Path) -> dict[str, Setting]:
    """Begin the process `name` ("web", "intake", ...) on the instance in `data`; return the settings in force."""
    if supervisor := os.environ.get("QD_SUPERVISOR"):
        die_with_parent(int(supervisor))
    if name != "engine":
        _without_numpy()
    settings = load()
    secrets = [str(setting.value) for setting in settings.values() if setting.option.secret and setting.value]
    configure(data, name, str(settings["log_level"].value), secrets)
    return settings


def _without_numpy() -> None:
    """Make `import numpy` fail in this process. It is installed because chDB, in the engine, needs it.

    openpyxl and others load it wherever they find it, 20 MB and 0.2 s in each process, and use it for nothing of ours.
    None in `sys.modules` is Python's documented way: https://docs.python.org/3/reference/import.html#the-module-cache
    """
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]
