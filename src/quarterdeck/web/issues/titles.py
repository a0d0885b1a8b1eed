"""States, levels and what happened to an issue, in the person's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from quarterdeck.errors.models import Activity, Issue, Resolution, State

SECTIONS: dict[str, str | Promise] = {
    "query": gettext_lazy("Query"),
    "headers": gettext_lazy("Headers"),
    "cookies": gettext_lazy("Cookies"),
    "environment": gettext_lazy("Environment"),
    "extra": gettext_lazy("Additional data"),
    "runtime": gettext_lazy("Runtime"),
    "os": gettext_lazy("Operating system"),
    "browser": gettext_lazy("Browser"),
    "device": gettext_lazy("Device"),
    "trace": gettext_lazy("Trace"),
    "app": gettext_lazy("Application"),
}
TAGS: dict[str, str | Promise] = {
    "level": gettext_lazy("Level"),
    "environment": gettext_lazy("Environment"),
    "release": gettext_lazy("Release"),
    "host": gettext_lazy("Host"),
    "service": gettext_lazy("Service"),
    "user": gettext_lazy("User"),
    "transaction": gettext_lazy("Transaction"),
    "handled": gettext_lazy("Handled"),
    "url": gettext_lazy("Address"),
    "runtime": gettext_lazy("Runtime"),
    "os": gettext_lazy("Operating system"),
    "browser": gettext_lazy("Browser"),
}
ICONS = {
    "first_seen": "alert-circle",
    "regressed": "arrow-back-up",
    "resolved": "circle-check",
    "reopened": "refresh",
    "ignored": "eye-off",
    "unignored": "eye",
    "assigned": "user",
    "merged": "git-merge",
    "split": "unlink",
    "comment": "edit",
}


def state_title(issue: Issue) -> str:
    """Return an issue's state with what it depends on: "Resolved in shop@1.2"."""
    if issue.is_regressed:
        return _("Regressed")
    if issue.state == State.RESOLVED and issue.resolution == Resolution.IN_RELEASE:
        return _("Resolved in %(release)s") % {"release": issue.resolved_in}
    if issue.state == State.RESOLVED and issue.resolution == Resolution.AFTER_RELEASE:
        return _("Resolved after %(release)s") % {"release": issue.resolved_in}
    return str(issue.get_state_display())


def state_tone(issue: Issue) -> str:
    return {State.RESOLVED: "good", State.IGNORED: ""}.get(State(issue.state), "bad" if issue.is_regressed else "warn")


def sentence(activity: Activity) -> str:
    """Return what happened, in a sentence without who did it."""
    detail: Mapping[str, Any] = activity.detail
    release = str(detail.get("release", ""))
    if activity.kind == "first_seen":
        return _("First seen in %(release)s") % {"release": release} if release else _("First seen")
    if activity.kind == "regressed":
        return _("Came back in %(release)s") % {"release": release} if release else _("Came back after it was resolved")
    if activity.kind == "resolved":
        return _resolved(str(detail.get("how", "")), release)
    if activity.kind == "assigned":
        name = str(detail.get("assignee", ""))
        if detail.get("rule"):
            return _("Assigned to %(name)s by the rule %(rule)s") % {"name": name, "rule": detail["rule"]}
        return _("Assigned to %(name)s") % {"name": name} if name else _("Assigned to nobody")
    if activity.kind == "ignored":
        return _ignored(detail)
    if activity.kind == "merged":
        return _("Took up %(issues)s") % {"issues": ", ".join(f"#{number}" for number in detail.get("issues", []))}
    if activity.kind == "split" and detail.get("into"):
        return _("Some of its events are #%(id)s now") % {"id": detail["into"]}
    if activity.kind == "split":
        return _("Was taken out of #%(id)s") % {"id": detail.get("out_of", "")}
    plain = {"reopened": _("Reopened"), "unignored": _("No longer ignored"), "comment": _("Comment")}
    return plain.get(activity.kind, activity.kind)


def _resolved(how: str, release: str) -> str:
    if how == Resolution.IN_RELEASE:
        return _("Resolved in %(release)s") % {"release": release}
    if how == Resolution.AFTER_RELEASE:
        return _("Resolved after %(release)s") % {"release": release}
    return _("Resolved")


def _ignored(detail: Mapping[str, Any]) -> str:
    limits = []
    if until := detail.get("until"):
        limits.append(_("until %(time)s UTC") % {"time": str(until)[:16].replace("T", " ")})
    if (events := detail.get("events")) is not None:
        limits.append(ngettext("until %(n)d more event", "until %(n)d more events", events) % {"n": events})
    if (users := detail.get("users")) is not None:
        limits.append(ngettext("until %(n)d more user", "until %(n)d more users", users) % {"n": users})
    return _("Ignored %(limits)s") % {"limits": ", ".join(limits)} if limits else _("Ignored for ever")
