"""How Ansible reaches the hosts of a piece of work: its inventory, its known_hosts, its configuration of SSH. Pure.

Passwords stand in the inventory, which is in memory only (see `helper`); private keys go to an agent, and the files
that name them hold their public halves.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncssh
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.ansible_vars import GROUPS, group_name, implied_groups, to_vars
from quarterdeck.inventory.exchange.formats.ansible import inventory_name
from quarterdeck.jobs.host_keys.known_hosts import line_of
from quarterdeck.jobs.host_keys.places import places_of
from quarterdeck.jobs.runners import Host
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.scripts import is_account
from quarterdeck.remote.target import SignIn, Target

# What ssh and Ansible take for an address and nothing else.
_ADDRESS = re.compile(r"\w[\w.:%-]{0,252}")
_TEMPLATE = re.compile(r"\{[{%#]")
_NO_GROUPS = frozenset({"all", "ungrouped", "_meta"})


@dataclass(slots=True)
class Reach:
    """`names` are the hosts as the inventory names them; `files` go into the directory of the work, by their names.

    `inventory` is what an inventory script prints. See
    https://docs.ansible.com/ansible/latest/dev_guide/developing_inventory.html#inventory-scripts
    """

    names: dict[str, Host] = field(default_factory=dict)
    inventory: str = field(default="", repr=False)
    files: dict[str, str] = field(default_factory=dict)
    private_keys: list[str] = field(default_factory=list, repr=False)


def check(target: Target) -> None:
    """Raise BadInput for an address or a user that a program would take for something else, an option say."""
    for one in (target, *target.jumps):
        if not _ADDRESS.fullmatch(one.address):
            raise BadInput(_('"%(address)s" is no address') % {"address": one.address[:60]}, field="primary_ip")
        if not is_account(one.user) or not one.user.isprintable() or re.search(r"[\"'\\`$%;&|<>(){}@]", one.user):
            raise BadInput(_('"%(name)s" is no name of an account') % {"name": one.user[:60]}, field="ssh_user")


def reach(hosts: Sequence[Host], host_keys: HostKeys, directory: str, *, becomes: bool) -> Reach:
    """Return how the hosts are reached; their targets have passed `check`. `directory` is where the files will be."""
    found = Reach()
    ways = _Ways(directory, found)
    variables: dict[str, dict[str, Any]] = {}
    groups: dict[str, dict[str, None]] = {}
    seen: set[str] = set()
    for host in hosts:
        name = inventory_name(host.name, host.id, seen)
        found.names[name] = host
        variables[name] = _variables(host, ways, becomes=becomes)
        for group in _groups(host.fields):
            groups.setdefault(group, {})[name] = None
    members = {name: {"hosts": list(names)} for name, names in sorted(groups.items()) if name not in seen}
    everything = {"hosts": list(variables), "children": list(members)}
    found.inventory = json.dumps({"_meta": {"hostvars": variables}, "all": everything, **members})
    found.files["known_hosts"] = "".join(f"{line}\n" for line in _known_hosts(hosts, host_keys))
    found.files["ssh_config"] = ways.configuration()
    return found


def _groups(fields: Mapping[str, Any]) -> Iterator[str]:
    own = fields.get(GROUPS)
    for group in (*implied_groups(fields), *(map(group_name, own) if isinstance(own, list) else ())):
        if group not in _NO_GROUPS:
            yield group


def _variables(host: Host, ways: _Ways, *, becomes: bool) -> dict[str, Any]:
    told = {name: untrusted(value) for name, value in to_vars(host.fields).items()}
    target, sign_in = host.target, host.target.sign_in
    found = told | {"ansible_host": target.address, "ansible_port": target.port, "ansible_user": target.user}
    if sign_in.password:
        found["ansible_password"] = untrusted(sign_in.password)
    if sign_in.private_key:
        found["ansible_ssh_private_key_file"] = ways.identity(sign_in)
    if arguments := ways.arguments(target):
        found["ansible_ssh_extra_args"] = shlex.join(arguments)
    if host.become is not None:
        if host.become.password:
            found["ansible_become_password"] = untrusted(host.become.password)
        if host.become.method != "sudo":
            found["ansible_become_method"] = host.become.method
        # A variable counts more than what the tasks say: root is what they become without one.
        if becomes and host.become.user != "root":
            found["ansible_become_user"] = host.become.user
    return found


def untrusted(value: Any) -> Any:
    """Return a value in which Ansible looks for no template: what an item's attribute or a form says is no program."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value}
    if isinstance(value, Mapping):
        # A name cannot be marked so.
        return {name: untrusted(one) for name, one in value.items() if not _TEMPLATE.search(str(name))}
    return [untrusted(one) for one in value] if isinstance(value, list | tuple) else value


class _Ways:
    """Keys and jump hosts, each of them once."""

    def __init__(self, directory: str, found: Reach) -> None:
        self._directory = directory
        self._found = found
        self._identities: dict[str, str] = {}
        self._certificates: dict[str, str] = {}
        self._jumps: dict[Any, str] = {}
        self._blocks: list[str] = []

    def identity(self, sign_in: SignIn) -> str:
        """Return the file of a private key's public half; the key itself goes to the agent."""
        if sign_in.private_key not in self._identities:
            name = f"key{len(self._identities)}.pub"
            public = asyncssh.import_private_key(sign_in.private_key).export_public_key("openssh").decode()
            self._identities[sign_in.private_key] = self._put(name, public)
            self._found.private_keys.append(sign_in.private_key)
        return self._identities[sign_in.private_key]

    def _certificate(self, sign_in: SignIn) -> str:
        if sign_in.certificate not in self._certificates:
            name = f"certificate{len(self._certificates)}.pub"
            self._certificates[sign_in.certificate] = self._put(name, f"{sign_in.certificate}\n")
        return self._certificates[sign_in.certificate]

    def _put(self, name: str, content: str) -> str:
        self._found.files[name] = content
        return f"{self._directory}/{name}"

    def arguments(self, target: Target) -> list[str]:
        """Return what ssh is told beside address, port, user and key."""
        found = []
        if target.sign_in.certificate:
            found += ["-o", f"CertificateFile={self._certificate(target.sign_in)}"]
        if target.jumps:
            found += ["-o", f"ProxyJump={','.join(map(self._jump, target.jumps))}"]
        return found

    def _jump(self, target: Target) -> str:
        if target.key not in self._jumps:
            name = self._jumps[target.key] = f"qd-jump-{len(self._jumps)}"
            lines = [f"Host {name}", f"HostName {target.address}", f"Port {target.port}", f"User {target.user}"]
            if target.sign_in.private_key:
                lines.append(f"IdentityFile {self.identity(target.sign_in)}")
            if target.sign_in.certificate:
                lines.append(f"CertificateFile {self._certificate(target.sign_in)}")
            self._blocks.append("\n    ".join(lines))
        return self._jumps[target.key]

    def configuration(self) -> str:
        """Return the configuration of ssh; `{kex}` stands for the key exchanges that it knows, the quick ones first."""
        usual = (
            "Host *",
            f"UserKnownHostsFile {self._directory}/known_hosts",
            "GlobalKnownHostsFile /dev/null",
            "StrictHostKeyChecking yes",
            "UpdateHostKeys no",
            "VerifyHostKeyDNS no",
            "IdentitiesOnly yes",
            "IdentityFile none",
            "ForwardAgent no",
            "ForwardX11 no",
            "ServerAliveInterval 15",
            "ServerAliveCountMax 3",
            "{kex}",
        )
        return "\n".join([*self._blocks, "\n    ".join(usual), ""])


def _known_hosts(hosts: Sequence[Host], host_keys: HostKeys) -> Iterator[str]:
    for address, port in dict.fromkeys(places_of(host.target for host in hosts)):
        place = (address, port)
        for key in host_keys.approved.get(place, ()):
            yield line_of(address, port, key)
        for key in host_keys.refused.get(place, ()):
            yield line_of(address, port, key, is_revoked=True)
