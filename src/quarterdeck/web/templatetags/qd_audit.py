"""How the audit log is worded."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from quarterdeck.access.registry import verbs
from quarterdeck.audit.actor import ActorKind
from quarterdeck.web.audit.filters import RESULTS, quoted

register = template.Library()


@register.filter
def verb_title(verb: str) -> str:
    """Return a verb's registered title, or the verb itself when no running package knows it any more."""
    found = verbs().get(verb)
    return str(found.title) if found else verb


@register.filter
def result_title(result: str) -> str:
    return str(dict(RESULTS).get(result, result))


@register.filter
def actor_kind(kind: str) -> str:
    titles = {
        ActorKind.USER: _("person"),
        ActorKind.TOKEN: _("token"),
        ActorKind.SCHEDULE: _("schedule"),
        ActorKind.SYSTEM: _("system"),
        ActorKind.ANONYMOUS: _("not signed in"),
    }
    return titles.get(ActorKind(kind), kind) if kind in set(ActorKind) else kind


@register.filter
def actor_query(name: str) -> str:
    """Return the query for what `name` did."""
    return f"actor:{quoted(name)}"
