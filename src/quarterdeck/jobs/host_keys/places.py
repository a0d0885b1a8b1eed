"""Places as they are kept: one spelling of each address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from quarterdeck.remote.target import Target

# As in remote.host_keys, which brings asyncssh along: a third of a second at the start of every process.
Place = tuple[str, int]


def address_of(text: str) -> str:
    """Return a name in lower case without its last dot, an IP address in its usual spelling."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower().rstrip(".")


def place_of(place: Place) -> Place:
    address, port = place
    return address_of(address), port


def places_of(targets: Iterable[Target]) -> Iterator[Place]:
    """Yield the places of the targets and of their jump hosts, as the targets spell them."""
    for target in targets:
        yield target.address, target.port
        yield from places_of(target.jumps)
