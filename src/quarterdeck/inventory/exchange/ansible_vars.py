"""One item as a host of Ansible, and back: the names of its variables and of the groups it implies.

ansible_host, ansible_port, ansible_user    from primary_ip (or fqdn), ssh_port, ssh_user
cpu_count, os_name, ...                     attributes under their own code
qd_id, qd_type, qd_env, qd_labels, ...      what belongs to the item itself
qd_attributes                               attributes whose code means something else to ansible
ansible_groups, ansible_vars                what came from an Ansible inventory and has no other place
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from quarterdeck.inventory.exchange.ansible_yaml import VAULT
from quarterdeck.inventory.exchange.records import LABEL, RELATION
from quarterdeck.inventory.exchange.shapes import ITEM_FIELDS

GROUPS = "ansible_groups"
VARIABLES = "ansible_vars"
_CONNECTION = {"primary_ip": "ansible_host", "ssh_port": "ansible_port", "ssh_user": "ansible_user"}
_OLD_NAMES = {
    "ansible_ssh_host": "ansible_host",
    "ansible_ssh_port": "ansible_port",
    "ansible_ssh_user": "ansible_user",
}
_OWN = tuple(name for name in ITEM_FIELDS if name != "primary_ip")
# See https://docs.ansible.com/ansible/latest/reference_appendices/special_variables.html and playbooks_keywords.html
_RESERVED = frozenset(
    """
    action any_errors_fatal args async become become_exe become_flags become_method become_user block changed_when
    check_mode collections connection debugger delay delegate_facts delegate_to diff environment fact_path
    failed_when force_handlers gather_facts gather_subset gather_timeout group_names groups handlers hosts hostvars
    ignore_errors ignore_unreachable inventory_dir inventory_file inventory_hostname inventory_hostname_short listen
    local_action loop loop_control max_fail_percentage module_defaults name no_log notify omit order play_hosts
    playbook_dir poll port post_tasks pre_tasks register remote_user retries role_name role_names roles run_once
    serial strategy tags tasks throttle timeout until vars vars_files vars_prompt when with_items
    """.split()  # noqa: SIM905 - a page of words reads better than a list
)
_SECRET = re.compile(r"(?:^|_)(?:password|passwd|passphrase|pass|secret|token|api_key|private_key)$", re.IGNORECASE)


def group_name(*parts: str) -> str:
    """Return a name that ansible takes for a group: letters (of any script), digits and underscores."""
    return re.sub(r"\W", "_", "_".join(parts))


def implied_groups(fields: Mapping[str, Any]) -> list[str]:
    """Return the groups of an item by its type, environment, state and labels: `["type_host", "label_role_web"]`."""
    names = [group_name(kind, str(fields[kind])) for kind in ("type", "env", "provider", "region") if fields.get(kind)]
    labels = sorted((name.removeprefix(LABEL), value) for name, value in fields.items() if name.startswith(LABEL))
    return names + [group_name("label", name, str(value)) for name, value in labels]


def is_secret(name: str, value: object) -> bool:
    """Whether a variable is one that an inventory must not hold: encrypted, or a password by its name."""
    return value == VAULT or (isinstance(value, str) and bool(_SECRET.search(name)))


def to_vars(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a host."""
    found: dict[str, Any] = {}
    if address := fields.get("primary_ip") or fields.get("fqdn"):
        found["ansible_host"] = address
    groups: dict[str, dict[str, Any]] = {"qd_labels": {}, "qd_relations": {}, "qd_attributes": {}}
    for name, value in fields.items():
        if name.startswith(LABEL):
            groups["qd_labels"][name.removeprefix(LABEL)] = value
        elif name.startswith(RELATION):
            groups["qd_relations"][name.removeprefix(RELATION)] = value
        elif name in _OWN:
            found[f"qd_{name}"] = value
        elif name in _CONNECTION:
            found[_CONNECTION[name]] = value
        elif name in _RESERVED or (name.startswith(("ansible_", "qd_")) and name != GROUPS):
            groups["qd_attributes"][name] = value
        else:
            found[name] = value
    return found | {name: group for name, group in groups.items() if group}


def from_vars(host: str, variables: Mapping[str, Any], groups: list[str]) -> dict[str, Any]:
    """Return the fields of a host; the reverse of `to_vars`. Unknown variables stay under their own names."""
    fields: dict[str, Any] = {"type": "host", "name": host}
    for original, value in variables.items():
        name = _OLD_NAMES.get(original, original)
        if name == "qd_labels" and isinstance(value, Mapping):
            fields |= {f"{LABEL}{label}": inner for label, inner in value.items()}
        elif name == "qd_relations" and isinstance(value, Mapping):
            fields |= {f"{RELATION}{relation}": inner for relation, inner in value.items()}
        elif name == "qd_attributes" and isinstance(value, Mapping):
            fields |= value
        elif name.removeprefix("qd_") in _OWN and name.startswith("qd_"):
            fields[name.removeprefix("qd_")] = value
        else:
            fields |= _connection(name, value)
    own = [name for name in groups if name not in implied_groups(fields)]
    return fields | ({GROUPS: sorted(own)} if own and GROUPS not in fields else {})


def _connection(name: str, value: Any) -> dict[str, Any]:
    if name == "ansible_host":
        try:
            ipaddress.ip_address(str(value))
        except ValueError:
            return {"fqdn": value}
        return {"primary_ip": str(value)}
    return {next((code for code, variable in _CONNECTION.items() if variable == name), name): value}
