"""Ansible's YAML inventories and variable files.

    all:
      hosts: {web1: {ansible_host: 10.0.0.1}}
      vars: {...}
      children: {web: {hosts: {...}, children: {...}, vars: {...}}}

See https://docs.ansible.com/ansible/latest/collections/ansible/builtin/yaml_inventory.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.yamls import OnceLoader, load
from quarterdeck.inventory.exchange.ansible_ini import expand
from quarterdeck.inventory.exchange.ansible_model import Inventory
from quarterdeck.inventory.exchange.records import BadRow
from quarterdeck.inventory.exchange.shapes import check_bounds

VAULT = "$ANSIBLE_VAULT"


class AnsibleLoader(OnceLoader):
    """YAML 1.1, as ansible reads it, with its tags. An encrypted value is left as its marker, never decrypted."""


def _plain(loader: Any, node: Any) -> object:
    return loader.construct_scalar(node) if hasattr(node, "value") and isinstance(node.value, str) else None


AnsibleLoader.add_constructor("!vault", lambda loader, node: VAULT)
AnsibleLoader.add_constructor("!vault-encrypted", lambda loader, node: VAULT)
AnsibleLoader.add_constructor("!unsafe", _plain)
# Dates stay texts, as in Ansible's own loader's view of a JSON inventory: the inventory stores JSON.
AnsibleLoader.add_constructor("tag:yaml.org,2002:timestamp", _plain)


def is_vault(text: str) -> bool:
    return text.startswith(VAULT)


def load_ansible(text: str, where: str) -> object:
    """Return the value of an Ansible YAML or JSON text. Raises BadInput."""
    value = load(text, where, AnsibleLoader)
    check_bounds(value, where)
    return value


def read_yaml(text: str, where: str, inventory: Inventory, problems: list[BadRow]) -> None:
    """Add the hosts, groups and variables of a YAML text. Raises BadInput when it is no inventory."""
    document = load_ansible(text, where)
    if not isinstance(document, Mapping):
        raise BadInput(_("%(where)s is no Ansible inventory: expected groups") % {"where": where})
    for name, body in document.items():
        _read_group(str(name), body, where, inventory, problems)


def _part(body: Mapping[str, Any], part: str, group: str, where: str) -> Mapping[str, Any]:
    value = body.get(part)
    if isinstance(value, str):
        return {value: None}
    if value is not None and not isinstance(value, Mapping):
        raise BadInput(
            _('%(where)s: "%(part)s" of group "%(group)s" must be a map')
            % {"where": where, "part": part, "group": group}
        )
    return value or {}


def _read_group(name: str, body: object, where: str, inventory: Inventory, problems: list[BadRow]) -> None:
    group = inventory.group(name)
    if body is None:
        return
    if not isinstance(body, Mapping):
        raise BadInput(_('%(where)s: group "%(group)s" must be a map') % {"where": where, "group": name})
    group.variables.update({str(key): value for key, value in _part(body, "vars", name, where).items()})
    for child, inner in _part(body, "children", name, where).items():
        _read_group(str(child), inner, where, inventory, problems)
        group.children[str(child)] = None
    for pattern, variables in _part(body, "hosts", name, where).items():
        try:
            for host in expand(str(pattern)):
                inventory.add_host(host, len(inventory.hosts) + 1, name, _host_vars(variables))
        except ValueError as error:
            problems.append(BadRow(len(inventory.hosts) + 1, "", f"{where}: {pattern}: {error}"))


def _host_vars(variables: object) -> dict[str, object]:
    if variables is None:
        return {}
    if not isinstance(variables, Mapping):
        raise ValueError(_("variables must be a map"))
    return {str(name): value for name, value in variables.items()}
