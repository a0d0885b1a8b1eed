"""What is done with guard rules: they are the whole product's, so their right is without items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.inventory.queries.items import items
from quarterdeck.jobs.guards.models import Applies, Ask, GuardRule
from quarterdeck.jobs.guards.patterns import patterns_of
from quarterdeck.jobs.guards.windows import windows_of
from quarterdeck.jobs.runners import runner_named

VERB = "jobs.guards"
MAX_RULES = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """A guard rule's values, as `models.GuardRule` has them."""

    name: str
    description: str = ""
    is_enabled: bool = True
    commands: str = ""
    runners: tuple[str, ...] = ()
    query: str = ""
    applies: str = Applies.ALWAYS.value
    windows: str = ""
    zone: str = "UTC"
    asks: str = Ask.REASON.value

    def check(self, actor: Actor) -> None:
        """Raise BadInput, BadQuery for what cannot be meant."""
        if not self.name.strip() or len(self.name) > 100:
            raise BadInput(_("a rule has a name of up to 100 characters"), field="name")
        _one_of("asks", self.asks, Ask.values)
        _one_of("applies", self.applies, Applies.values)
        patterns_of(self.commands)
        for runner in self.runners:
            runner_named(runner)
        if self.query.strip():
            items(actor, self.query)
        windows = windows_of(self.windows)
        if bool(windows) != (self.applies != Applies.ALWAYS):
            raise BadInput(
                _("windows, and whether the rule applies within or outside of them, belong together"),
                hint="Mon-Fri 22:00-06:00", field="windows",
            )  # fmt: skip
        if self.zone not in available_timezones():
            near = did_you_mean(self.zone, available_timezones())
            raise BadInput(
                _('there is no time zone "%(zone)s"') % {"zone": self.zone[:60]}, hint=near or "Asia/Shanghai",
                field="zone",
            )  # fmt: skip


def _one_of(field: str, value: str, known: list[str]) -> None:
    if value not in known:
        raise BadInput(_('"%(value)s" is none of these') % {"value": value[:40]}, hint=", ".join(known), field=field)


@action(VERB)
def add_rule(actor: Actor, rule: Rule) -> GuardRule:
    """Raises Denied, BadInput, BadQuery, Conflict for a name that is taken."""
    rule.check(actor)
    if GuardRule.objects.filter(name=rule.name).exists():
        raise Conflict(_('there is a rule "%(name)s" already') % {"name": rule.name}, hint="qd guards list")
    if GuardRule.objects.count() >= MAX_RULES:
        raise Conflict(_("there are %(most)d rules, as many as may be") % {"most": MAX_RULES})
    made = GuardRule(**_values(rule), changed_at=now(), changed_by=actor.name[:150])
    made.save()
    record(actor, "jobs.guard.add", made, after=values_of(made))
    return made


@action(VERB)
def change_rule(actor: Actor, rule_id: int, rule: Rule) -> GuardRule:
    """Make a rule what `rule` says. Raises Denied, NotFound, BadInput, BadQuery, Conflict."""
    rule.check(actor)
    found = _found(rule_id)
    before = values_of(found)
    if GuardRule.objects.filter(name=rule.name).exclude(pk=rule_id).exists():
        raise Conflict(_('there is a rule "%(name)s" already') % {"name": rule.name}, hint="qd guards list")
    for name, value in _values(rule).items():
        setattr(found, name, value)
    if (after := values_of(found)) != before:
        found.changed_at, found.changed_by = now(), actor.name[:150]
        found.save()
        record(actor, "jobs.guard.change", found, before=before, after=after)
    return found


@action(VERB)
def delete_rule(actor: Actor, rule_id: int) -> None:
    """Raises Denied, NotFound."""
    found = _found(rule_id)
    record(actor, "jobs.guard.delete", found, before=values_of(found))
    found.delete()


def _found(rule_id: int) -> GuardRule:
    found = GuardRule.objects.select_for_update().filter(pk=rule_id).first()
    if found is None:
        raise NotFound(_("there is no guard rule %(id)d") % {"id": rule_id}, hint="qd guards list")
    return found


def _values(rule: Rule) -> dict[str, Any]:
    return asdict(rule) | {"runners": list(rule.runners), "name": rule.name.strip()}


def values_of(rule: GuardRule) -> dict[str, Any]:
    """Return a stored rule's values, by the names of `Rule`."""
    return {name: getattr(rule, name) for name in Rule.__dataclass_fields__}


def rule_from(values: Mapping[str, Any]) -> Rule:
    """Return the rule of values as they are stored."""
    return Rule(**{**values, "runners": tuple(values["runners"])})
