"""How an item's attributes are laid out: panels of facts and tables by type, and a panel of whatever is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quarterdeck.inventory.catalogue import AttributeSpec, TypeSpec
from quarterdeck.web.formatting import plain


@dataclass(frozen=True, slots=True)
class Panel:
    """Attributes that belong together, on a card of `span` twelfths."""

    title: str | Promise
    icon: str
    codes: tuple[str, ...]
    span: int = 6


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table of records; `style` is "", "bytes", "mono", "time", "number" or "flag"."""

    key: str
    title: str | Promise
    style: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """An attribute with its value as people read it; `spec` is None for a value without a definition."""

    code: str
    title: str
    value: Any
    unit: str = ""
    kind: str = "text"
    is_wish: bool = False

    @property
    def text(self) -> str:
        return plain(self.value, self.unit)

    @property
    def is_parts(self) -> bool:
        """True for a list that reads best as separate badges."""
        return isinstance(self.value, list) and all(isinstance(part, str | int | float) for part in self.value)

    @property
    def is_structure(self) -> bool:
        """True for an object of plain values, shown as facts of their own."""
        return isinstance(self.value, dict)


@dataclass(frozen=True, slots=True)
class Table:
    """A list of records."""

    title: str
    icon: str
    columns: tuple[Column, ...]
    rows: list[list[tuple[str, Any]]]


@dataclass(slots=True)
class Layout:
    """What the summary shows, in order."""

    panels: list[tuple[Panel, list[Fact]]] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


PANELS: Mapping[str, tuple[Panel, ...]] = {
    "host": (
        Panel(
            _("Hardware"),
            "cpu",
            (
                "form",
                "vendor",
                "model",
                "serial",
                "cpu_model",
                "cpu_count",
                "cpu_cores",
                "memory_bytes",
                "swap_bytes",
                "bios_version",
                "virtualization",
            ),
        ),
        Panel(
            _("Operating system"),
            "device-desktop",
            (
                "os_title",
                "os_name",
                "os_version",
                "os_family",
                "kernel",
                "architecture",
                "boot_time",
                "time_zone",
                "packages",
                "services",
                "machine_id",
            ),
        ),
        Panel(_("Addresses"), "network", ("fqdn", "ip_addresses", "gateway", "mac_addresses"), span=12),
    ),
    "container": (
        Panel(_("Container"), "container", ("image", "image_id", "command", "entrypoint", "restart_policy", "runtime")),
        Panel(_("Network"), "network", ("ip_addresses", "network_mode", "ports", "networks", "hostname")),
    ),
}

TABLES: Mapping[str, tuple[str, tuple[Column, ...]]] = {
    "filesystems": (
        "database",
        (
            Column("mountpoint", _("Mounted at"), "mono"),
            Column("device", _("Device"), "mono"),
            Column("type", _("Type")),
            Column("size_bytes", _("Size"), "bytes"),
        ),
    ),
    "listening_ports": (
        "plug-connected",
        (
            Column("port", _("Port"), "mono"),
            Column("protocol", _("Protocol")),
            Column("address", _("Address"), "mono"),
            Column("process", _("Process"), "mono"),
        ),
    ),
    "top_processes": (
        "activity",
        (
            Column("pid", _("PID"), "mono"),
            Column("name", _("Name"), "mono"),
            Column("user", _("User")),
            Column("memory_bytes", _("Memory"), "bytes"),
            Column("started_at", _("Started"), "time"),
        ),
    ),
    "interfaces": (
        "network",
        (
            Column("name", _("Name"), "mono"),
            Column("addresses", _("Addresses"), "mono"),
            Column("mac", _("MAC"), "mono"),
            Column("mtu", _("MTU"), "number"),
            Column("up", _("Up"), "flag"),
        ),
    ),
    "disks": (
        "database",
        (
            Column("name", _("Name"), "mono"),
            Column("size", _("Size"), "bytes"),
            Column("size_bytes", _("Size"), "bytes"),
            Column("vendor", _("Vendor")),
            Column("model", _("Model")),
            Column("serial", _("Serial number"), "mono"),
            Column("rotational", _("Rotating"), "flag"),
        ),
    ),
    "login_users": (
        "users",
        (
            Column("name", _("Name"), "mono"),
            Column("uid", _("UID"), "mono"),
            Column("home", _("Home"), "mono"),
            Column("shell", _("Shell"), "mono"),
        ),
    ),
    "logged_in_users": (
        "users",
        (
            Column("name", _("Name"), "mono"),
            Column("terminal", _("Terminal"), "mono"),
            Column("from", _("From"), "mono"),
            Column("since", _("Since"), "time"),
        ),
    ),
}


def _style(key: str) -> str:
    if key.endswith("_bytes") or key == "size":
        return "bytes"
    return "time" if key.endswith("_at") else ""


def _columns(rows: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    keys: dict[str, None] = {}
    for row in rows[:50]:
        keys.update(dict.fromkeys(row))
    return tuple(Column(key, key.removesuffix("_bytes").replace("_", " "), _style(key)) for key in list(keys)[:8])


def _table(code: str, title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    icon, columns = TABLES.get(code, ("list-details", _columns(rows)))
    columns = tuple(column for column in columns if any(row.get(column.key) not in (None, "") for row in rows))
    return Table(title, icon, columns, [[(column.style, row.get(column.key)) for column in columns] for row in rows])


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(part, dict) for part in value)


def fact(code: str, spec: AttributeSpec | None, value: Any, wishes: Mapping[str, Any]) -> Fact:
    title = spec.title if spec else code
    return Fact(code, title, value, spec.unit if spec else "", spec.kind if spec else "text", code in wishes)


def layout(spec: TypeSpec, attributes: Mapping[str, Any], wishes: Mapping[str, Any]) -> Layout:
    """Lay out all values of an item: no value is left out, known ones come first."""
    result = Layout()
    left = {code: value for code, value in attributes.items() if value not in (None, "", [], {})}
    for code in [*TABLES, *left]:
        if _is_records(left.get(code)):
            definition = spec.attributes.get(code)
            result.tables.append(_table(code, definition.title if definition else code, left.pop(code)))
    for panel in PANELS.get(spec.code, ()):
        facts = [fact(code, spec.attributes.get(code), left.pop(code), wishes) for code in panel.codes if code in left]
        if facts:
            result.panels.append((panel, facts))
    rest = list(_rest(spec, left, wishes))
    if rest:
        title = _("More") if result.panels else _("Details")
        result.panels.append((Panel(title, "list-details", (), span=6 if len(result.panels) % 2 else 12), rest))
    return result


def _rest(spec: TypeSpec, left: Mapping[str, Any], wishes: Mapping[str, Any]) -> Iterator[Fact]:
    order = {code: position for position, code in enumerate(spec.attributes)}
    for code in sorted(left, key=lambda one: (order.get(one, len(order)), one)):
        yield fact(code, spec.attributes.get(code), left[code], wishes)
