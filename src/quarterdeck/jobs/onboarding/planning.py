"""What `web[01:50].example` and the rest of a form stand for. Pure: nothing is read or written."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.ranges import MAX_NAMES, expanded
from quarterdeck.remote.target import SignIn, parse_jumps

# The label that a credential named here is attached by, one query for all of its hosts.
LABEL = "sign_in"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Hosts to add. `names` are names or patterns, `address_pattern` stands for as many addresses in their order.

    `values` are columns, attributes and labels of each: `{"env": "prod", "label.role": "web"}`.
    """

    names: Sequence[str]
    address_pattern: str = ""
    user: str = ""
    port: int | None = None
    jump: str = ""
    credential: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Planned:
    """One host: `fields` is what a row of an imported file would hold."""

    name: str
    address: str
    fields: dict[str, object]


def planned(wanted: Wanted) -> list[Planned]:
    """Return the hosts in order. Raises BadInput that names the field."""
    names = _names(wanted.names)
    addresses = _expanded(wanted.address_pattern, "address_pattern") if wanted.address_pattern.strip() else []
    if addresses and len(addresses) != len(names):
        raise BadInput(
            _("%(names)d names and %(addresses)d addresses") % {"names": len(names), "addresses": len(addresses)},
            hint=_("give as many addresses as names"),
            field="address_pattern",
        )
    common = _common(wanted)
    hosts = []
    for position, name in enumerate(names):
        address = addresses[position] if addresses else ""
        hosts.append(Planned(name, address, {"name": name, **common, **_address(address)}))
    return hosts


def _names(patterns: Sequence[str]) -> list[str]:
    names: list[str] = []
    for pattern in patterns:
        names += _expanded(pattern, "names")
        if len(names) > MAX_NAMES:
            raise BadInput(_("More than %(limit)d names.") % {"limit": MAX_NAMES}, field="names")
    if not names:
        raise BadInput(_("no host is named"), hint=_("for example web[01:50].example"), field="names")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadInput(_('"%(name)s" is named twice') % {"name": name[:100]}, field="names")
        seen.add(name)
    return names


def _expanded(pattern: str, field_name: str) -> list[str]:
    try:
        return expanded(pattern.strip())
    except BadInput as error:
        raise BadInput(error.message, hint=error.hint, field=field_name) from error


def _common(wanted: Wanted) -> dict[str, str]:
    """Return the fields that all hosts share."""
    if wanted.port is not None and not 1 <= wanted.port <= 65535:
        raise BadInput(_("a port is from 1 to 65535"), field="port")
    try:
        parse_jumps(wanted.jump, "root", SignIn())
    except ValueError as error:
        raise BadInput(
            _("the jump hosts cannot be read: %(reason)s") % {"reason": error},
            hint="ops@bastion:22,inner",
            field="jump",
        ) from error
    found = {"ssh_user": wanted.user.strip(), "ssh_port": str(wanted.port or ""), "ssh_proxy_jump": wanted.jump.strip()}
    if wanted.credential:
        found[f"label.{LABEL}"] = wanted.credential
    found.update({name.strip(): value for name, value in wanted.values.items()})
    if "name" in found or "" in found:
        raise BadInput(_("a value's name is missing, or is the host's own"), hint="env=prod", field="values")
    return {name: value for name, value in found.items() if value}


def _address(address: str) -> dict[str, str]:
    """Return where an address stands: an IP address in its column, a name as the host's full one."""
    if not address:
        return {}
    try:
        return {"primary_ip": str(ipaddress.ip_address(address))}
    except ValueError:
        return {"fqdn": address}


def values_of(lines: Sequence[str]) -> dict[str, str]:
    """Return `{"env": "prod"}` of `env=prod`. Raises BadInput."""
    found = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise BadInput(
                _('"%(text)s" is not key=value') % {"text": line[:100]},
                hint=_("for example env=prod or label.role=web"),
                field="values",
            )
        found[name.strip()] = value.strip()
    return found
