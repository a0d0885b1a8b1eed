"""What can be done with dashboards."""

from __future__ import annotations

import re
from typing import Any

from django.utils.text import slugify
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Stale
from quarterdeck.monitoring.dashboards import queries
from quarterdeck.monitoring.dashboards.checking import check
from quarterdeck.monitoring.dashboards.definitions import plain, read
from quarterdeck.monitoring.dashboards.models import Dashboard, DashboardVersion

VERB = "monitoring.dashboards"
# More versions than this of one dashboard are not kept.
VERSIONS_MAX = 200
# Pages of this name stand where a dashboard's would.
_TAKEN = frozenset({"new", "import", "types"})
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")


@action(VERB)
def save_dashboard(
    actor: Actor, slug: str, definition: Any, *, note: str = "", version: int | None = None
) -> Dashboard:
    """Make the dashboard `slug`, or a new version of it; what is the same already makes none.

    `version` is the one that was read: Stale when it is no longer the newest. Raises Denied, BadInput.
    """
    values = _checked(slug, definition)
    found = Dashboard.objects.select_for_update().filter(slug=slug).first()
    if version is not None and version != (found.version if found else 0):
        raise _stale(found)
    if found is not None and found.definition == values:
        return found
    return _write(actor, found or Dashboard(slug=slug, version=0), values, note)


def _checked(slug: str, definition: Any) -> dict[str, Any]:
    if not _SLUG.fullmatch(slug) or slug in _TAKEN:
        raise BadInput(
            _('"%(slug)s" cannot be a dashboard\'s short name.') % {"slug": slug[:60]},
            hint=_("Use small letters, digits, - and _."),
            field="slug",
        )
    wanted = read(definition)
    check(wanted)
    return plain(wanted)


def checked_dashboard(actor: Actor, slug: str, definition: Any) -> Dashboard:
    """Return, unsaved, what `save_dashboard` would make. Raises Denied, BadInput."""
    require(actor, VERB)
    values = _checked(slug, definition)
    found = Dashboard.objects.filter(slug=slug).first()
    if found is not None and found.definition == values:
        return found
    version = (found.version if found else 0) + 1
    return Dashboard(
        slug=slug, title=values["title"], definition=values, version=version, changed_by=actor.name, changed_at=now()
    )


def _stale(found: Dashboard | None) -> Stale:
    if found is None:
        return Stale(_("The dashboard is gone."), hint=_("Save it under another name."))
    return Stale(
        _("%(name)s has changed the dashboard since you read it.") % {"name": found.changed_by},
        hint=_("Open it again, and repeat your change."),
    )


def _write(actor: Actor, dashboard: Dashboard, values: dict[str, Any], note: str) -> Dashboard:
    before = _summary(dashboard.definition) if dashboard.pk else None
    dashboard.title, dashboard.definition = values["title"], values
    dashboard.version += 1
    dashboard.changed_by, dashboard.changed_at = actor.name[:150], now()
    dashboard.save()
    DashboardVersion.objects.create(
        dashboard=dashboard,
        number=dashboard.version,
        definition=values,
        note=note[:200],
        changed_by=dashboard.changed_by,
        changed_at=dashboard.changed_at,
    )
    DashboardVersion.objects.filter(dashboard=dashboard, number__lte=dashboard.version - VERSIONS_MAX).delete()
    detail = f"{dashboard.slug} version {dashboard.version}" + (f": {note[:200]}" if note else "")
    record(actor, "monitoring.save_dashboard", dashboard, detail, before=before, after=_summary(values))
    return dashboard


def _summary(definition: dict[str, Any]) -> dict[str, Any]:
    """What the audit log tells of a definition; the versions have all of it."""
    panels = [panel.get("title", "") for panel in definition.get("panels", [])]
    return {"title": definition["title"], "panels": panels}


@action(VERB)
def delete_dashboard(actor: Actor, slug: str) -> None:
    """Delete a dashboard with its versions. Raises Denied, NotFound."""
    dashboard = queries.dashboard(actor, slug)
    record(actor, "monitoring.delete_dashboard", dashboard, dashboard.slug)
    dashboard.delete()


@action(VERB)
def restore_dashboard(actor: Actor, slug: str, number: int) -> Dashboard:
    """Make an earlier version the newest again, as a version of its own. Raises Denied, NotFound, BadInput."""
    before = queries.version(actor, slug, number)
    return save_dashboard(actor, slug, before.definition, note=_("version %(number)d again") % {"number": number})


def free_slug(title: str) -> str:
    """Return a short name for a title that no dashboard has."""
    base = slugify(title)[:50].strip("-_") or "dashboard"
    taken = _TAKEN | set(Dashboard.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(name for name in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if name not in taken)
