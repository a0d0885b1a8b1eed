"""The settings in force, as the settings page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext as _

# A setting belongs to the first section that names it; one that none names is under "Other".
_SECTIONS: tuple[tuple[str | Promise, tuple[str, ...]], ...] = (
    (gettext_lazy("Addresses"), ("data", "listen", "public_url", "intake_http", "allowed_hosts")),
    (gettext_lazy("Stores and broker"), ("database_url", "clickhouse_url", "broker_url", "broker_visibility_seconds")),
    (gettext_lazy("Sign-in"), ("session_hours", "oidc_issuer", "oidc_client_id", "oidc_client_secret")),
    (
        gettext_lazy("Collection"),
        ("collect_interval_seconds", "facts_interval_seconds", "scrape_config", "scrape_interval_seconds"),
    ),
    (gettext_lazy("Telemetry"), ("engine_memory_mb", "metrics_retention_days", "disk_guard_percent")),
    (gettext_lazy("Audit"), ("audit_retention_days", "audit_syslog_url")),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A setting as people read it. `value` of a secret tells only whether there is one."""

    name: str
    env: str
    value: str
    unit: str
    help: str
    origin: str
    secret: bool

    @property
    def is_changed(self) -> bool:
        return self.origin != "default"

    @property
    def origin_title(self) -> str:
        titles = {"environment": _("environment"), "file": _("file"), "default": _("default")}
        return titles.get(self.origin, self.origin)


def shown(value: object, *, secret: bool) -> str:
    """Return the text for a value: lists with commas; of a secret URL all but who signs in, of a secret nothing."""
    if secret:
        return _without_password(str(value)) if value else ""
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def _without_password(value: str) -> str:
    parts = urlsplit(value)
    if not parts.scheme or not parts.hostname:
        return "••••••••"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "••••••••"
    # Only what cannot hold a password: the query may (`?password=`), so it goes as well.
    return f"{parts.scheme}://••••@{parts.hostname}{port}{parts.path}"


def _row(setting: Any) -> Row:
    option = setting.option
    return Row(
        name=option.name,
        env=option.env,
        value=shown(setting.value, secret=option.secret),
        unit=gettext(option.unit) if option.unit else "",
        help=gettext(option.help),
        origin=setting.origin,
        secret=option.secret,
    )


def sections(text: str = "") -> list[tuple[str, list[Row]]]:
    """Return `[("Addresses", [Row, ...]), ...]`, limited to the settings whose name or help contains `text`."""
    known: Mapping[str, Any] = settings.QD_SETTINGS
    named = {name for _title, names in _SECTIONS for name in names}
    rest = tuple(name for name in known if name not in named)
    found = []
    for title, names in (*_SECTIONS, (_("Other"), rest)):
        rows = [_row(known[name]) for name in names if name in known]
        rows = [row for row in rows if text.lower() in f"{row.name} {row.env} {row.help}".lower()]
        if rows:
            found.append((str(title), rows))
    return found
