"""The roles that every instance has."""

from __future__ import annotations

from quarterdeck.access.models import Role

# (name, title, description, verbs). The titles are English in the database; pages translate those of built-in roles.
ROLES = (
    ("admin", "Administrator", "Everything.", ["*"]),
    (
        "operator",
        "Operator",
        "Changes the inventory and dashboards, runs commands on hosts, reads telemetry, works on errors, makes tokens.",
        # Not inventory.secrets: reading passwords is granted on purpose or not at all.
        [f"inventory.{verb}" for verb in ("view", "edit", "delete", "import", "export", "merge", "types")]
        + [
            "telemetry.query",
            "telemetry.intake",
            "logs.metrics",
            "monitoring.dashboards",
            "errors.edit",
            "errors.upload",
            "credentials.view",
            "credentials.use",
            "jobs.view",
            "jobs.run",
            "jobs.templates",
            "jobs.approve",
            "jobs.files",
            "jobs.terminal",
            "jobs.schedules",
            "jobs.host_keys",
            "access.tokens",
        ],
    ),
    (
        "viewer",
        "Viewer",
        "Reads the inventory and measurements.",
        ["inventory.view", "telemetry.query", "access.tokens"],
    ),
    (
        "auditor",
        "Auditor",
        "Reads and exports the audit log, sees the recordings of terminals.",
        ["audit.*", "jobs.terminal_recordings", "inventory.view", "access.view", "settings.view"],
    ),
)


def add_builtin_roles(using: str = "default") -> None:
    """Make the built-in roles what this version says; called after each migration."""
    for name, title, description, verbs in ROLES:
        values = {"title": title, "description": description, "verbs": verbs, "query": "", "builtin": True}
        Role.objects.using(using).update_or_create(name=name, defaults=values)
