"""Groups, hosts and variables of an Ansible inventory, and how they add up for one host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput

_DEFAULT_PRIORITY = 1


@dataclass(slots=True)
class Group:
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: dict[str, object] = field(default_factory=dict)

    @property
    def priority(self) -> int:
        value = self.variables.get("ansible_group_priority", _DEFAULT_PRIORITY)
        return int(value) if isinstance(value, int | str) and str(value).lstrip("-").isdigit() else _DEFAULT_PRIORITY


@dataclass
class Inventory:
    """`hosts` is `{"web1": {"ansible_port": 22}}`; `rows` says in which line a host stands first."""

    groups: dict[str, Group] = field(default_factory=lambda: {"all": Group(), "ungrouped": Group()})
    hosts: dict[str, dict[str, object]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    group_files: dict[str, dict[str, object]] = field(default_factory=dict)
    host_files: dict[str, dict[str, object]] = field(default_factory=dict)

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())

    def add_host(self, name: str, row: int, group: str, variables: Mapping[str, object]) -> None:
        self.hosts.setdefault(name, {}).update(variables)
        self.rows.setdefault(name, row)
        self.group(group).hosts[name] = None

    @cached_property
    def parents(self) -> dict[str, list[str]]:
        """The groups that hold a group; every group but `all` is below `all`."""
        found: dict[str, list[str]] = {name: [] for name in self.groups}
        for name, group in self.groups.items():
            for child in group.children:
                found[child].append(name)
        for name, above in found.items():
            if not above and name != "all":
                above.append("all")
        return found

    def check_cycles(self) -> None:
        """Raise BadInput when a group holds itself, directly or through others."""
        done: set[str] = set()
        for start in self.groups:
            self._visit(start, [], done)

    def _visit(self, start: str, path: list[str], done: set[str]) -> None:
        """Depth first with a stack of its own: 10,000 groups in a row must not end in a RecursionError."""
        stack = [(start, iter(list(self.groups[start].children)))]
        path = [start]
        while stack:
            name, children = stack[-1]
            child = next(children, None)
            if child is None:
                stack.pop()
                path.pop()
                done.add(name)
            elif child in path:
                chain = " > ".join([*path[path.index(child) :], child])
                raise BadInput(_("groups contain each other: %(chain)s") % {"chain": chain}, field=child)
            elif child not in done:
                stack.append((child, iter(list(self.groups[child].children))))
                path.append(child)

    @cached_property
    def depths(self) -> dict[str, int]:
        """How far a group is below `all`, by the longest way, as ansible counts."""
        depths = {"all": 0}
        waiting = [name for name in self.groups if name != "all"]
        while waiting:
            later = []
            for name in waiting:
                above = self.parents[name]
                if all(parent in depths for parent in above):
                    depths[name] = 1 + max(depths[parent] for parent in above)
                else:
                    later.append(name)
            waiting = later
        return depths

    @cached_property
    def direct_groups(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {name: [] for name in self.hosts}
        for name, group in self.groups.items():
            for host in group.hosts:
                if name not in ("all", "ungrouped"):
                    found[host].append(name)
        return found

    def groups_of(self, host: str) -> list[str]:
        """All groups of a host, weakest first: by depth, then priority, then name."""
        found = {"all"}
        stack = list(self.direct_groups[host])
        while stack:
            name = stack.pop()
            if name not in found:
                found.add(name)
                stack.extend(self.parents[name])
        return sorted(found, key=lambda name: (self.depths[name], self.groups[name].priority, name))

    def variables_of(self, host: str) -> dict[str, object]:
        """What a play would see: groups in the inventory, then group_vars, then the host, then host_vars."""
        groups = self.groups_of(host)
        found: dict[str, object] = {}
        for name in groups:
            found |= self.groups[name].variables
        for name in groups:
            found |= self.group_files.get(name, {})
        found |= self.hosts[host] | self.host_files.get(host, {})
        found.pop("ansible_group_priority", None)
        return found
