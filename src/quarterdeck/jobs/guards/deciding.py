"""Which guard rules a run meets, and what they ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import BadInput, BadQuery, Denied
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import items
from quarterdeck.jobs.guards.calling import Call, calls_of
from quarterdeck.jobs.guards.models import Applies, Ask, GuardRule
from quarterdeck.jobs.guards.patterns import Pattern, patterns_of
from quarterdeck.jobs.guards.windows import is_inside, windows_of
from quarterdeck.jobs.runners import Program, runner_named

_CHUNK = 500
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Met:
    """A rule that a run meets. `why` names the pattern and the hosts by which it does."""

    rule: str
    description: str
    asks: str
    why: str


@dataclass(frozen=True, slots=True)
class Deed:
    """What is about to be done: by which runner, what of it guard rules look at, on which items, and when."""

    runner: str
    programs: Sequence[Program]
    hosts: Sequence[Item]
    at: datetime

    @classmethod
    def of(cls, runner: str, work: Mapping[str, Any], hosts: Sequence[Item], at: datetime) -> Deed:
        """Raises BadInput for work that the runner does not read."""
        how = runner_named(runner)
        read = how.read(work)
        programs = how.programs(work) if how.programs else [Program(how.shown(read))]
        return cls(runner, programs, hosts, at)


def met_by(deed: Deed) -> list[Met]:
    """Return the rules that a deed meets, the strictest first."""
    calls: list[Call] | None = None
    found = []
    for rule in GuardRule.objects.filter(is_enabled=True):
        if (rule.runners and deed.runner not in rule.runners) or not _is_time(rule, deed.at):
            continue
        pattern: Pattern | None = None
        if rule.commands.strip():
            calls = _calls(deed.programs) if calls is None else calls
            pattern = next((one for one in patterns_of(rule.commands) if any(map(one.meets, calls))), None)
            if pattern is None:
                continue
        where = _where(rule, deed.hosts)
        if where is None:
            continue
        why = "; ".join(part for part in (pattern.text if pattern else "", where) if part)
        found.append(Met(rule.name, rule.description, rule.asks, why))
    order = list(Ask)
    return sorted(found, key=lambda met: -order.index(Ask(met.asks)))


def asked(met: Sequence[Met], reason: str) -> bool:
    """Whether rules ask for a second person. Raises Denied where one refuses, BadInput where the reason is missing."""
    for one in met:
        if one.asks == Ask.REFUSAL:
            message = _('the guard rule "%(rule)s" refuses this') % {"rule": _(one.rule)}
            raise Denied(f"{message}: {one.why}" if one.why else message, hint=one.description)
    if met and not reason.strip():
        message = _('the guard rule "%(rule)s" asks for a reason') % {"rule": _(met[0].rule)}
        raise BadInput(f"{message}: {met[0].why}" if met[0].why else message, hint='--reason "..."', field="reason")
    return any(one.asks == Ask.APPROVAL for one in met)


def _calls(programs: Sequence[Program]) -> list[Call]:
    return [call for program in programs for call in program_calls(program)]


def program_calls(program: Program) -> Sequence[Call]:
    """Return the calls of a program. Of one that is not for a shell nothing is known but that it runs."""
    return (
        calls_of(program.text, program.environment)
        if program.is_shell
        else (Call(program.interpreter or None), Call(None))
    )


def _is_time(rule: GuardRule, at: datetime) -> bool:
    if rule.applies == Applies.ALWAYS:
        return True
    return is_inside(windows_of(rule.windows), at, rule.zone) == (rule.applies == Applies.INSIDE)


def _where(rule: GuardRule, hosts: Sequence[Item]) -> str | None:
    """Return which of the hosts the rule protects, in words; "" for a rule about any, None when it protects none."""
    if not rule.query.strip():
        return ""
    names: list[str] = []
    for start in range(0, len(hosts), _CHUNK):
        part = [host.pk for host in hosts[start : start + _CHUNK]]
        try:
            names.extend(items(SYSTEM, rule.query).filter(pk__in=part).values_list("name", flat=True))
        except BadQuery:
            # A field of it was removed since: it protects more then, never less.
            return _('its query "%(query)s" cannot be read any more') % {"query": rule.query[:100]}
    if not names:
        return None
    shown = ", ".join(sorted(names)[:_NAMED])
    more = len(names) - _NAMED
    return shown if more <= 0 else ngettext("%(names)s and one more", "%(names)s and %(more)d more", more) % {
        "names": shown, "more": more,
    }  # fmt: skip
