"""How the audit log is worded."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext as _

from quarterdeck.audit.actor import ActorKind
from quarterdeck.web.audit.filters import RESULTS, quoted
from quarterdeck.web.audit.titles import kind_of, title_of

register = template.Library()


register.filter("verb_title", title_of)
register.filter("kind_title", kind_of)


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
