"""Who a sender is, for protocols that tell it by a tag or not at all."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from functools import lru_cache

from quarterdeck.telemetry.canonical import NOBODY, Sender


@lru_cache(65_536)
def host_named(name: str) -> Sender:
    """A host by the name that it gives itself."""
    return Sender("host", name, {"host.name": name}) if name else NOBODY


@lru_cache(65_536)
def host_at(address: str) -> Sender:
    """The host behind a peer's address: over loopback it is this machine, by its name."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return NOBODY
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return host_named(socket.gethostname()) if ip.is_loopback else Sender("host", str(ip), {"host.ip": str(ip)})


def of_labels(labels: Mapping[str, str], address: str) -> tuple[Mapping[str, str], Sender]:
    """Return the labels with `host` in them, and the host: the label's, else the one at `address`.

    Two hosts that send the same name without a tag stay two series for everybody who looks at labels only.
    """
    if labels.get("host"):
        return labels, host_named(labels["host"])
    sender = host_at(address)
    return ({**labels, "host": sender.name} if sender.name else labels), sender
