"""Ansible inventories as files: INI, YAML, and directories with group_vars and host_vars.

The result is Ansible's own: for each host its groups and its variables after precedence. See
https://docs.ansible.com/ansible/latest/inventory_guide/intro_inventory.html
https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_variables.html#understanding-variable-precedence
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.ansible_ini import read_ini
from quarterdeck.inventory.exchange.ansible_model import Inventory
from quarterdeck.inventory.exchange.ansible_yaml import is_vault, load_ansible, read_yaml
from quarterdeck.inventory.exchange.files import MAX_WHOLE_FILE_BYTES, check_size, read_text
from quarterdeck.inventory.exchange.records import BadRow

_VAR_SUFFIXES = ("", ".yml", ".yaml", ".json")
# What ansible itself passes over in an inventory directory.
_IGNORED = (".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry")


@dataclass(slots=True)
class Loaded:
    """An inventory with what was left out of it and why."""

    inventory: Inventory = field(default_factory=Inventory)
    problems: list[BadRow] = field(default_factory=list)


def load_inventory(path: Path) -> Loaded:
    """Read a file or a directory. Raises BadInput when it cannot be read or its groups contain each other."""
    loaded = Loaded()
    if path.is_dir():
        for source in _sources(path):
            _read_source(source, loaded)
        _read_vars(path, loaded)
    else:
        _read_source(path, loaded)
        _read_vars(path.parent, loaded)
    loaded.inventory.check_cycles()
    return loaded


def _sources(directory: Path) -> Iterator[Path]:
    found = False
    for path in sorted(directory.iterdir()):
        if path.name in ("group_vars", "host_vars") or path.name.startswith(".") or path.name.endswith(_IGNORED):
            continue
        if path.is_dir():
            yield from _sources(path)
        elif not path.is_symlink() or path.resolve().is_relative_to(directory.resolve()):
            yield path
        found = True
    if not found:
        raise BadInput(_("%(path)s holds no inventory file") % {"path": directory.name}, hint=_("add a hosts file"))


def _read_source(path: Path, loaded: Loaded) -> None:
    check_size(path, MAX_WHOLE_FILE_BYTES)
    text = read_text(path)
    if path.suffix.lower() in (".yml", ".yaml", ".json"):
        read_yaml(text, path.name, loaded.inventory, loaded.problems)
    else:
        read_ini(text, path.name, loaded.inventory, loaded.problems)


def _read_vars(directory: Path, loaded: Loaded) -> None:
    inventory = loaded.inventory
    for name in inventory.groups:
        inventory.group_files[name] = _vars_of(directory / "group_vars", name, loaded)
    for name in inventory.hosts:
        inventory.host_files[name] = _vars_of(directory / "host_vars", name, loaded)


def _vars_of(directory: Path, name: str, loaded: Loaded) -> dict[str, object]:
    """The variables of `group_vars/web.yml`, `group_vars/web` or the files of the directory `group_vars/web/`."""
    found: dict[str, object] = {}
    if "/" in name or not directory.is_dir():
        return found
    for suffix in _VAR_SUFFIXES:
        path = directory / f"{name}{suffix}"
        if path.is_dir():
            for inner in sorted(p for p in path.rglob("*") if p.is_file() and not p.name.endswith(_IGNORED)):
                found |= _vars_file(inner, directory, loaded)
        elif path.is_file():
            found |= _vars_file(path, directory, loaded)
    return found


def _vars_file(path: Path, root: Path, loaded: Loaded) -> dict[str, object]:
    where = str(path.relative_to(root.parent))
    if not path.resolve().is_relative_to(root.resolve()):
        loaded.problems.append(BadRow(0, where, _("points outside of the inventory and is not read")))
        return {}
    text = read_text(path) if path.stat().st_size else ""
    if is_vault(text):
        loaded.problems.append(BadRow(0, where, _("is encrypted by ansible-vault and is not read")))
        return {}
    values = load_ansible(text, where)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise BadInput(_("%(where)s must be a map of variables") % {"where": where})
    return values
