"""Which format a file has: by what it is asked to be, by its name, and where names are shared, by its content."""

from __future__ import annotations

import re
from pathlib import Path

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.plugins import plugins
from quarterdeck.inventory.exchange.records import Format

FAMILY = "quarterdeck.inventory.exchange.formats"
_HEAD_BYTES = 1 << 16
_ANSIBLE_YAML = re.compile(r"^(?:all|[\w.-]+):\s*\n\s+(?:hosts|children|vars):", re.MULTILINE)
_ADDRESS_AND_NAME = re.compile(r"^\s*[0-9a-fA-F:.]*[.:][0-9a-fA-F:.%\w]*\s+[^\s=]+(?:\s+[^\s=]+)*\s*$")
_SSH_HOST = re.compile(r"^\s*(?:host|match|include)\s+\S", re.MULTILINE | re.IGNORECASE)


def formats() -> dict[str, Format]:
    """Return every format by name."""
    return plugins(FAMILY, Format)


def format_named(name: str) -> Format:
    """Return a format by name; raises BadInput with the near name."""
    found = formats()
    if name not in found:
        raise BadInput(
            _('unknown format "%(name)s"') % {"name": name},
            hint=did_you_mean(name, found) or _("one of %(names)s") % {"names": ", ".join(found)},
            field="format",
        )
    return found[name]


def detect(path: Path) -> str:
    """Return the name of the format of `path`. Raises BadInput when neither name nor content tell."""
    if not path.exists():
        raise BadInput(_("%(path)s does not exist") % {"path": path}, hint=_("check the path"))
    if path.is_dir():
        return "ansible"
    name, suffix = path.name.lower(), path.suffix.lower()
    if suffix in (".yml", ".yaml") and _ANSIBLE_YAML.search(_head(path)):
        return "ansible"
    for code, candidate in formats().items():
        if suffix and suffix in candidate.suffixes:
            return code
    return _by_content(path, name)


def _by_content(path: Path, name: str) -> str:
    head = _head(path)
    lines = [line for line in head.splitlines() if line.strip() and not line.lstrip().startswith(("#", ";"))]
    if lines and _ADDRESS_AND_NAME.match(lines[0]):
        return "etc_hosts"
    if _SSH_HOST.search(head) and "[" not in (lines[0][:1] if lines else ""):
        return "ssh_config"
    if lines and (lines[0].startswith("[") or name in ("hosts", "inventory")):
        return "ansible"
    raise BadInput(
        _("the format of %(path)s is not clear from its name") % {"path": path.name},
        hint=_("name it: one of %(names)s") % {"names": ", ".join(formats())},
        field="format",
    )


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8", "replace")
