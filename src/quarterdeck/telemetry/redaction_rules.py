"""Rules of redaction as people work with them: tried out, made, switched on and off.

The engine that replaces secrets on the way in is asked here as well, so that a page shows what would really happen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.exceptions import DatabaseError
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.telemetry import client
from quarterdeck.telemetry.mapping import Rule, quoted, redaction_of
from quarterdeck.telemetry.models import RedactionRule
from quarterdeck.telemetry.redaction import rules

TEXT_MAX_CHARACTERS = 64 << 10
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_RULES_MAX = 100
_HIT_HOURS = 24


@dataclass(frozen=True, slots=True)
class RuleHits:
    """A rule with how often it replaced something in the last 24 hours; None when the engine cannot tell."""

    rule: RedactionRule
    hits: int | None


def rules_with_hits(actor: Actor, *, with_hits: bool = True) -> list[RuleHits]:
    """Return all rules by name. Raises Denied, Unavailable unless `with_hits` is False."""
    require(actor, "telemetry.keys")
    hits = _hits() if with_hits else None
    return [RuleHits(rule, None if hits is None else hits.get(rule.name, 0)) for rule in RedactionRule.objects.all()]


def _hits() -> dict[str, int]:
    sql = f"SELECT rule, sum(count) FROM redactions WHERE ts > subtractHours(now(), {_HIT_HOURS}) GROUP BY rule"
    return {str(rule): int(count) for rule, count in client.query(sql)}


def redact(texts: Sequence[str], by: Sequence[Rule] | None = None) -> list[tuple[str, list[str]]]:
    """Return each text as the engine would store it, and the names of the rules that matched it. Raises Unavailable.

    `by` are the rules in force when left out.
    """
    chosen = rules() if by is None else by
    if not texts or not chosen:
        return [(text, []) for text in texts]
    replaced, hits = redaction_of("text", chosen)
    array = "[" + ", ".join(_literal(text) for text in texts) + "]"
    rows = client.query(f"SELECT {replaced}, {hits} FROM (SELECT arrayJoin({array}) AS text)", options=_LITERALS)
    return [(str(text), [str(name) for name in names]) for text, names in rows]


# A text is in the statement itself: in an address it would have no room.
_LITERALS = {"max_query_size": 4 << 20, "max_execution_time": 10}


def _literal(text: str) -> str:
    """Return a text as SQL; control characters, of which some end a statement, as escapes."""
    return re.sub(r"[\x00-\x1f]", lambda match: f"\\x{ord(match[0]):02x}", quoted(text))


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules make of a text."""

    text: str
    hits: list[str]


def try_rules(actor: Actor, text: str, draft: Rule | None = None) -> Trial:
    """Return what the rules in force, and `draft` among them, make of `text`. Nothing is kept. Raises BadInput,
    Denied, Unavailable.
    """
    require(actor, "telemetry.keys")
    if len(text) > TEXT_MAX_CHARACTERS:
        raise BadInput(
            _("at most %(max)d characters can be tried at once") % {"max": TEXT_MAX_CHARACTERS}, field="text"
        )
    chosen = rules()
    if draft is not None:
        chosen = sorted([rule for rule in chosen if rule.name != draft.name] + [draft], key=lambda rule: rule.name)
        _check_pattern(draft)
    [(found, hits)] = redact([text], chosen)
    return Trial(found, hits)


@action("telemetry.keys")
def set_rule(
    actor: Actor, name: str, *, pattern: str, replacement: str = "***", title: str = "", is_enabled: bool = True
) -> RedactionRule:
    """Make or change a rule of one's own; what comes in from then on is redacted by it.

    Raises BadInput for a pattern that RE2 does not take, Conflict for a built-in rule, Unavailable.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(_("a rule's name has small letters, digits, - and _ only"), field="name")
    rule = RedactionRule.objects.filter(name=name).first() or RedactionRule(name=name)
    if rule.builtin:
        raise Conflict(_('the rule "%(name)s" is built in') % {"name": name}, hint=_("it can be switched off"))
    if rule.pk is None and RedactionRule.objects.count() >= _RULES_MAX:
        raise Conflict(_("there can be %(max)d rules at most") % {"max": _RULES_MAX}, hint=_("delete one first"))
    before = {} if rule.pk is None else _shown(rule)
    rule.pattern, rule.replacement = pattern, _short("replacement", replacement, 200)
    rule.title, rule.is_enabled = _short("title", title.strip(), 120), is_enabled
    _check_pattern(Rule(name, pattern, replacement))
    rule.save()
    record(actor, "telemetry.set_rule", rule, before=before, after=_shown(rule))
    return rule


@action("telemetry.keys")
def switch_rule(actor: Actor, name: str, *, is_enabled: bool) -> RedactionRule:
    """Switch a rule on or off. Raises NotFound; BadInput or Unavailable when it does not work with the others."""
    rule = _rule_named(name)
    if rule.is_enabled != is_enabled:
        if is_enabled:
            _check_pattern(Rule(rule.name, rule.pattern, rule.replacement))
        rule.is_enabled = is_enabled
        rule.save(update_fields=["is_enabled"])
        record(actor, "telemetry.set_rule", rule, before={"enabled": not is_enabled}, after={"enabled": is_enabled})
    return rule


@action("telemetry.keys")
def delete_rule(actor: Actor, name: str) -> None:
    """Delete a rule of one's own making. Raises NotFound, Conflict for a built-in one."""
    rule = _rule_named(name)
    if rule.builtin:
        raise Conflict(_('the rule "%(name)s" is built in') % {"name": name}, hint=_("it can be switched off"))
    record(actor, "telemetry.delete_rule", rule, before=_shown(rule))
    rule.delete()


def _rule_named(name: str) -> RedactionRule:
    rule = RedactionRule.objects.filter(name=name).first()
    if rule is None:
        raise NotFound(_('there is no rule "%(name)s"') % {"name": name[:60]})
    return rule


def _shown(rule: RedactionRule) -> dict[str, Any]:
    names = {"pattern": rule.pattern, "replacement": rule.replacement, "title": rule.title}
    return {**names, "enabled": rule.is_enabled}


def _short(field: str, text: str, limit: int) -> str:
    if len(text) > limit:
        raise BadInput(_("at most %(max)d characters") % {"max": limit}, field=field)
    return text


def _check_pattern(rule: Rule) -> None:
    """Let the engine try a rule, alone and beside the others. Raises BadInput, Unavailable.

    A rule that the engine does not take would keep everything that comes in from being stored.
    """
    if not 1 <= len(rule.pattern) <= 1000:
        raise BadInput(_("a pattern has 1 to 1000 characters"), field="pattern")
    if len(rule.replacement) > 200:
        raise BadInput(_("at most %(max)d characters") % {"max": 200}, field="replacement")
    others = [other for other in rules() if other.name != rule.name]
    try:
        [[matches_nothing, *_rest]] = client.query(
            f"SELECT match('', {_literal(rule.pattern)}),"
            f" replaceRegexpAll(materialize('x'), {_literal(rule.pattern)}, {_literal(rule.replacement)})"
        )
        redact(["x"], [*others, rule])
    except DatabaseError as error:
        raise BadInput(client.said(error), hint=_("the syntax is RE2's"), field="pattern") from error
    if matches_nothing:
        raise BadInput(
            _("this pattern matches where there is nothing, so it would change every text"),
            hint=_("use + in place of *"),
            field="pattern",
        )
