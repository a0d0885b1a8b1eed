"""The sidebar: one row per page. It also feeds Ctrl-K."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor


@dataclass(frozen=True, slots=True)
class NavEntry:
    """A page in the sidebar, shown to whoever holds `verb`, or one of several, on something ("" for everybody).

    `keywords` are further words under which Ctrl-K finds it.
    """

    group: str | Promise
    title: str | Promise
    url_name: str
    icon: str
    verb: str = ""
    keywords: str = ""

    @property
    def url(self) -> str:
        return reverse(self.url_name)


_FLEET = _("Fleet")
_OPERATE = _("Operate")
_OBSERVE = _("Observe")
_ADMIN = _("Administration")

NAVIGATION: tuple[NavEntry, ...] = (
    NavEntry(_FLEET, _("Overview"), "web:overview", "layout-dashboard", "inventory.view", "home dashboard"),
    NavEntry(_FLEET, _("Items"), "web:items", "list-details", "inventory.view", "inventory hosts assets"),
    NavEntry(_FLEET, _("Topology"), "web:topology", "topology-star-3", "inventory.view", "graph map relations"),
    NavEntry(_FLEET, _("Types"), "web:types", "category", "inventory.view", "attributes schema model"),
    NavEntry(_FLEET, _("Import"), "web:imports", "file-import", "inventory.import", "upload csv xlsx ansible"),
    NavEntry(
        _FLEET,
        _("Intake"),
        "web:intake",
        "antenna",
        "telemetry.intake",
        "receive agents sdk keys otlp prometheus zabbix syslog connect redaction dead letters",
    ),
    NavEntry(
        _OBSERVE, _("Dashboards"), "web:dashboards", "layout-grid", "telemetry.query", "boards panels grafana kiosk"
    ),
    NavEntry(
        _OBSERVE,
        _("Metrics"),
        "web:metrics",
        "chart-line",
        "telemetry.query",
        "explorer promql prometheus charts graphs query",
    ),
    NavEntry(_OBSERVE, _("Logs"), "web:logs", "file-text", "telemetry.query", "search lines tail patterns syslog"),
    NavEntry(_OBSERVE, _("Traces"), "web:traces", "route", "telemetry.query", "spans waterfall latency apm tracing"),
    NavEntry(_OBSERVE, _("Services"), "web:services", "activity", "telemetry.query", "apm rate errors duration map"),
    NavEntry(
        _OBSERVE, _("Statements"), "web:statements", "server", "telemetry.query", "slow sql database cache queue calls"
    ),
    NavEntry(
        _OBSERVE, _("Errors"), "web:issues", "alert-circle", "telemetry.query", "issues sentry exceptions crashes"
    ),
    NavEntry(
        _OPERATE,
        _("Runs"),
        "web:runs",
        "terminal-2",
        "jobs.view",
        "run command script jobs batch rolling retry output ssh",
    ),
    NavEntry(
        _OPERATE,
        _("Job templates"),
        "web:templates",
        "template",
        "jobs.view",
        "templates survey forms library",
    ),
    NavEntry(_OPERATE, _("Schedules"), "web:schedules", "calendar-event", "jobs.view", "cron timer calendar planned"),
    NavEntry(
        _OPERATE,
        _("Terminals"),
        "web:terminals",
        "device-desktop",
        "jobs.terminal jobs.terminal_recordings",
        "shell ssh console recordings replay asciicast",
    ),
    NavEntry(_ADMIN, _("Audit"), "web:audit", "shield-check", "audit.view", "log events who verify"),
    NavEntry(_ADMIN, _("Access"), "web:users", "users", "access.view", "users groups roles tokens permissions"),
    NavEntry(
        _ADMIN, _("Credentials"), "web:credentials", "key", "credentials.view", "vault ssh keys passwords sudo secrets"
    ),
    NavEntry(
        _ADMIN, _("Host keys"), "web:host_keys", "shield-lock", "jobs.host_keys", "ssh fingerprints known_hosts approve"
    ),
    NavEntry(
        _ADMIN,
        _("Guard rules"),
        "web:guards",
        "shield-check",
        "jobs.view",
        "approval dangerous commands windows freeze",
    ),
    NavEntry(_ADMIN, _("Settings"), "web:settings", "settings", "settings.view", "system status sources sync"),
)


def entries_for(actor: Actor) -> list[NavEntry]:
    """Return the pages that `actor` may open, in order."""
    return [entry for entry in NAVIGATION if not entry.verb or any(may(actor, verb) for verb in entry.verb.split())]


def is_current(entry: NavEntry, request: HttpRequest) -> bool:
    """True on the page itself and below it."""
    return request.path == entry.url or (entry.url != "/" and request.path.startswith(f"{entry.url.rstrip('/')}/"))
