"""What needs somebody's attention: each with its weight, in words, and where to go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Max
from django.urls import NoReverseMatch, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quarterdeck.access.checks import may
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import Unavailable
from quarterdeck.inventory import queries
from quarterdeck.inventory.actions import UNCLAIMED
from quarterdeck.inventory.models import SyncRun
from quarterdeck.jobs.host_keys import queries as host_keys
from quarterdeck.telemetry import queries as telemetry
from quarterdeck.web.pages import PageRequest

_BAD_OUTCOMES = (SyncRun.Outcome.FAILED, SyncRun.Outcome.HELD, SyncRun.Outcome.PARTIAL)


@dataclass(frozen=True, slots=True)
class Concern:
    """One line; `level` is "bad", "warn" or "info"."""

    level: str
    icon: str
    text: str
    url: str
    detail: str = ""


def _counted(text: str, count: int) -> str:
    return text % {"count": number_format(count, force_grouping=True)}


def list_of(query: str) -> str:
    return f"{reverse('web:items')}?{urlencode({'q': query})}"


def _inventory(actor: Actor) -> Iterator[Concern]:
    counts = queries.counts(actor)
    if failing := counts["by_state"].get("error", 0):
        text = _counted(ngettext("%(count)s item is in error", "%(count)s items are in error", failing), failing)
        yield Concern("bad", "alert-circle", text, list_of("state:error"))
    if absent := counts["by_lifecycle"].get("absent", 0):
        text = _counted(
            ngettext("%(count)s item is no longer seen", "%(count)s items are no longer seen", absent), absent
        )
        yield Concern("bad", "ban", text, list_of("lifecycle:absent"))
    if missing := counts["by_lifecycle"].get("missing", 0):
        text = _counted(
            ngettext(
                "%(count)s item was missing in the last pass", "%(count)s items were missing in the last pass", missing
            ),
            missing,
        )
        yield Concern("warn", "question-mark", text, list_of("lifecycle:missing"))
    if unclaimed := queries.items(actor, UNCLAIMED).count():
        text = _counted(
            ngettext(
                "%(count)s sender is not claimed yet: adopt, ignore or merge it",
                "%(count)s senders are not claimed yet: adopt, ignore or merge them",
                unclaimed,
            ),
            unclaimed,
        )
        yield Concern("info", "question-mark", text, list_of(UNCLAIMED))
    if drifting := queries.drift(actor).count():
        text = _counted(
            ngettext("%(count)s value differs from the wish", "%(count)s values differ from the wish", drifting),
            drifting,
        )
        yield Concern("warn", "git-compare", text, reverse("web:drift"))
    if doubles := queries.proposals(actor).count():
        text = _counted(
            ngettext("%(count)s pair of items may be one", "%(count)s pairs of items may be one", doubles), doubles
        )
        yield Concern("info", "git-merge", text, reverse("web:merge_proposals"))


def _host_keys(actor: Actor) -> Iterator[Concern]:
    counts = host_keys.counts(actor)
    address = reverse("web:host_keys")
    if changed := counts["changed"]:
        text = ngettext(
            "%(count)s host shows another host key than the approved one",
            "%(count)s hosts show another host key than the approved one",
            changed,
        )
        yield Concern("bad", "shield-lock", _counted(text, changed), f"{address}?{urlencode({'q': 'is:changed'})}")
    if new := counts["pending"] - changed:
        text = ngettext("%(count)s host key waits for approval", "%(count)s host keys wait for approval", new)
        yield Concern("info", "shield-lock", _counted(text, new), f"{address}?{urlencode({'q': 'is:new'})}")


def _sources(actor: Actor) -> Iterator[Concern]:
    """The last pass of each source and scope, where it did not go well."""
    if not may(actor, "settings.view"):
        return
    last = SyncRun.objects.values("source", "scope").annotate(newest=Max("pk")).values("newest")
    for run in SyncRun.objects.filter(pk__in=last, outcome__in=_BAD_OUTCOMES).order_by("-started_at")[:5]:
        level = "bad" if run.outcome == SyncRun.Outcome.FAILED else "warn"
        text = _("The last pass of %(source)s: %(outcome)s") % {
            "source": run.source,
            "outcome": run.get_outcome_display(),
        }
        yield Concern(level, "database-import", text, reverse("web:sources"), run.message[:300])


def _engine(actor: Actor) -> Iterator[Concern]:
    if not may(actor, "telemetry.query"):
        return
    try:
        for warning in telemetry.engine_status().warnings:
            yield Concern("bad", "database", warning, _settings_url())
    except Unavailable as error:
        yield Concern("bad", "database", error.message, _settings_url(), error.hint)


def _settings_url() -> str:
    try:
        return reverse("web:settings")
    except NoReverseMatch:
        return ""


def _account(request: PageRequest) -> Iterator[Concern]:
    from allauth.mfa.utils import is_mfa_enabled

    if request.user.is_authenticated and not is_mfa_enabled(request.user):
        yield Concern("info", "shield-lock", _("Your account has no second factor"), reverse("mfa_index"))


def concerns(request: PageRequest) -> list[Concern]:
    """Return what needs attention, worst first; empty is good news."""
    actor = request.actor
    found = [*_inventory(actor), *_host_keys(actor), *_sources(actor), *_engine(actor), *_account(request)]
    return sorted(found, key=lambda one: ("bad", "warn", "info").index(one.level))
