"""Which item is a sender? By what it says of itself; a name that several items have is nobody's."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models.functions import Lower

from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Identity, Item, ItemIndex, Lifecycle

T = TypeVar("T")
_ALIVE = (Lifecycle.ACTIVE, Lifecycle.MISSING, Lifecycle.ABSENT)
_LOOPBACK = frozenset({"localhost", "localhost.localdomain", "127.0.0.1", "::1"})
# OpenTelemetry's resource attributes as identities of items, strongest first.
_IDENTITIES = {"container.id": "docker_id", "host.id": "machine_id", "host.mac": "mac", "host.ip": "ip"}
_ATTRIBUTES = {"os.type": "os_family", "os.name": "os_name", "os.version": "os_version", "host.arch": "architecture"}
_BY_FIELD = ("fqdn", "aliases")
# Our own word, which no protocol lets a sender say: the item as which the inventory named a target of a scrape.
ASKED_AS = "quarterdeck.item"


@dataclass(frozen=True, slots=True)
class Sender:
    """What the engine knows of one. `key` is the hash in its rows, `kind` host, container, instance or service."""

    key: int
    kind: str
    name: str
    identities: Mapping[str, str]
    is_keyless: bool

    @property
    def type(self) -> str:
        """The item type: an instance ("web1:9100") is the host that it runs on."""
        return {"container": "container", "service": "service"}.get(self.kind, "host")

    @property
    def host(self) -> str:
        """The name without a port, in lower case."""
        name = self.name.strip().lower()
        if self.kind != "instance":
            return name
        host, _, port = name.rpartition(":")
        return host.strip("[]") if host and port.isdigit() else name

    @property
    def is_this_machine(self) -> bool:
        """True for a sender that calls itself localhost and came in by loopback."""
        return self.type == "host" and self.host in _LOOPBACK and self.is_keyless


def found(sender: Sender) -> Found:
    """Return the sender as an item that nobody has claimed yet."""
    identities = [(_IDENTITIES[name], text) for name, text in sender.identities.items() if name in _IDENTITIES and text]
    if sender.type == "host":
        identities.append(("ip" if _is_ip(sender.host) else "hostname", sender.host))
    title = sender.identities.get("container.name") if sender.type == "container" else ""
    attributes = {
        code: sender.identities[name]
        for name, code in _ATTRIBUTES.items()
        if sender.type == "host" and sender.identities.get(name)
    }
    return Found(
        sender.type,
        str(sender.key),
        title or (sender.host if sender.type == "host" else sender.name),
        attributes,
        identities=identities,
        labels={"claim": "unclaimed"},
        primary_ip=sender.host if sender.type == "host" and _is_ip(sender.host) else "",
        state="running",
    )


def match(senders: Sequence[Sender], this_machine: int | None) -> dict[int, int]:
    """Return `{sender key: item id}` for those that exactly one item answers to."""
    matched: dict[int, int] = {}
    wanted: dict[tuple[str, str], list[int]] = defaultdict(list)
    for sender in senders:
        if sender.is_this_machine and this_machine is not None:
            matched[sender.key] = this_machine
        else:
            wanted[sender.type, sender.host].append(sender.key)
    for place, items in _holders(senders).items():
        if len(items) == 1:
            matched.update(dict.fromkeys(wanted.get(place, ()), next(iter(items))))
    return matched | _by_identity(senders) | _by_item(senders)


def _holders(senders: Sequence[Sender]) -> dict[tuple[str, str], set[int]]:
    """Return the items that have each `(type, name)`: by their own name, a host name or address that a source saw."""
    names = {sender.host for sender in senders if sender.host not in _LOOPBACK}
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for chunk in _chunks(sorted(names)):
        alive = Item.objects.filter(lifecycle__in=_ALIVE)
        by_name = alive.annotate(lower=Lower("name")).filter(lower__in=chunk)
        for item, kind, name in by_name.values_list("pk", "type__code", "lower"):
            found[kind, name].add(item)
        known = Identity.objects.filter(kind__in=("hostname", "ip"), value__in=chunk, item__lifecycle__in=_ALIVE)
        for item, kind, name in known.values_list("item_id", "item__type__code", "value"):
            found[kind, name].add(item)
        indexed = ItemIndex.objects.filter(field__in=_BY_FIELD, text__in=chunk, item__lifecycle__in=_ALIVE)
        for item, kind, text in indexed.values_list("item_id", "item__type__code", "text"):
            found[kind, str(text)].add(item)
        addresses = [name for name in chunk if _is_ip(name)]
        for item, kind, ip in alive.filter(primary_ip__in=addresses).values_list("pk", "type__code", "primary_ip"):
            found[kind, str(ip)].add(item)
    return found


def _by_identity(senders: Sequence[Sender]) -> dict[int, int]:
    """Return the items of senders that name one by a strong identity (machine id, container id)."""
    wanted: dict[tuple[str, str], list[Sender]] = defaultdict(list)
    for sender in senders:
        for name in ("container.id", "host.id"):
            if text := sender.identities.get(name, "").strip().lower():
                wanted[_IDENTITIES[name], text].append(sender)
    found: dict[tuple[str, str], set[tuple[int, str]]] = defaultdict(set)
    for chunk in _chunks(sorted({text for _kind, text in wanted})):
        rows = Identity.objects.filter(
            kind__in=("docker_id", "machine_id"), value__in=chunk, item__lifecycle__in=_ALIVE
        ).values_list("kind", "value", "item_id", "item__type__code")
        for kind, text, item, code in rows:
            found[kind, text].add((item, code))
    matched: dict[int, int] = {}
    for key, items in found.items():
        for sender in wanted.get(key, ()):
            mine = [item for item, code in items if code == sender.type]
            if len(mine) == 1:
                matched.setdefault(sender.key, mine[0])
    return matched


def _by_item(senders: Sequence[Sender]) -> dict[int, int]:
    """Return the items of senders that we asked ourselves as a target of the inventory, whatever their address is."""
    wanted = {sender.key: int(item) for sender in senders if (item := sender.identities.get(ASKED_AS, "")).isdecimal()}
    alive: set[int] = set()
    for chunk in _chunks(sorted(set(wanted.values()))):
        alive.update(Item.objects.filter(pk__in=chunk, lifecycle__in=_ALIVE).values_list("pk", flat=True))
    return {key: item for key, item in wanted.items() if item in alive}


def _chunks(values: Sequence[T], size: int = 500) -> Iterable[Sequence[T]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
