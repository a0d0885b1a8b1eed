"""Making, changing and deleting rules of grouping."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.errors import ruling
from quarterdeck.errors.models import FingerprintRule

RULES = "errors.rules"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_RULES_MAX = 100


def rules(actor: Actor) -> list[FingerprintRule]:
    """Return all rules in their order. Raises Denied."""
    require(actor, RULES)
    return list(FingerprintRule.objects.all())


@action(RULES)
def set_rule(
    actor: Actor, name: str, query: str, fingerprint: str, *, position: int = 0, is_enabled: bool = True
) -> FingerprintRule:
    """Make or change a rule; groups that come from now on obey it. Raises BadQuery, BadInput."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            _("A rule's name has small letters, digits, - and _."), hint=_("For example: timeouts"), field="name"
        )
    ruling.check(query, fingerprint)
    before = FingerprintRule.objects.filter(name=name).first()
    if before is None and FingerprintRule.objects.count() >= _RULES_MAX:
        raise BadInput(_("There are %(limit)d rules already.") % {"limit": _RULES_MAX}, hint=_("Delete one first."))
    values = {"query": query, "fingerprint": fingerprint, "position": position, "is_enabled": is_enabled}
    rule, _made = FingerprintRule.objects.update_or_create(name=name, defaults=values)
    old = {field: getattr(before, field) for field in values} if before else None
    record(actor, "errors.set_rule", rule, name, before=old, after=values)
    return rule


@action(RULES)
def delete_rule(actor: Actor, name: str) -> None:
    """Delete a rule; issues stay as they are. Raises NotFound."""
    rule = FingerprintRule.objects.filter(name=name).first()
    if rule is None:
        raise NotFound(_('there is no rule "%(name)s"') % {"name": name[:60]})
    record(actor, "errors.delete_rule", rule, name, before={"query": rule.query, "fingerprint": rule.fingerprint})
    rule.delete()
