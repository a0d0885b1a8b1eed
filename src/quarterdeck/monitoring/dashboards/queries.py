"""What dashboards there are."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import require
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.monitoring.dashboards.models import Dashboard, DashboardVersion

VERB = "telemetry.query"


def dashboards(actor: Actor) -> QuerySet[Dashboard]:
    """Return all: what a panel shows of whom is decided when it asks. Raises Denied."""
    require(actor, VERB)
    return Dashboard.objects.all()


def dashboard(actor: Actor, slug: str) -> Dashboard:
    """Raises Denied, NotFound."""
    found = dashboards(actor).filter(slug=slug).first()
    if found is None:
        near = did_you_mean(slug, Dashboard.objects.values_list("slug", flat=True))
        raise NotFound(
            _('There is no dashboard "%(slug)s".') % {"slug": slug[:60]}, hint=near or _("See the list of dashboards.")
        )
    return found


def versions(actor: Actor, slug: str) -> QuerySet[DashboardVersion]:
    """Return what a dashboard was, the newest first. Raises Denied, NotFound."""
    return DashboardVersion.objects.filter(dashboard=dashboard(actor, slug))


def version(actor: Actor, slug: str, number: int) -> DashboardVersion:
    """Raises Denied, NotFound."""
    found = versions(actor, slug).filter(number=number).first()
    if found is None:
        raise NotFound(_("There is no version %(number)d.") % {"number": number}, hint=_("See the list of versions."))
    return found
