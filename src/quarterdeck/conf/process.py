"""What every long-lived process does first: tie itself to its supervisor, open its log."""

from __future__ import annotations

import os
from pathlib import Path

from quarterdeck.conf.logs import configure
from quarterdeck.conf.options import Setting, load
from quarterdeck.core.processes import die_with_parent


def begin(name: str, data: Path) -> dict[str, Setting]:
    """Begin the process `name` ("web", "intake", ...) on the instance in `data`; return the settings in force."""
    if supervisor := os.environ.get("QD_SUPERVISOR"):
        die_with_parent(int(supervisor))
    settings = load()
    secrets = [str(setting.value) for setting in settings.values() if setting.option.secret and setting.value]
    configure(data, name, str(settings["log_level"].value), secrets)
    return settings
