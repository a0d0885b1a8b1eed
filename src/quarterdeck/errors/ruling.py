"""Rules of grouping: groups of events that a query selects become one issue by the fingerprint that the rule gives.

A rule is asked when the first event of a group comes, with that event. So it costs the road of events nothing; what was
grouped before stays as it is, and one group of events is never divided: a fingerprint in the program does that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, BadQuery
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.query import Match, Op, Text, Value, compile_node, parse
from quarterdeck.core.query.wildcards import wildcards
from quarterdeck.errors.models import FingerprintRule, Issue, RuleKey
from quarterdeck.errors.reading import Frame
from quarterdeck.errors.sampling import COLUMNS, Sample

PARTS_MAX = 20
_SLOT = re.compile(r"\{\{\s*([\w.\-]+)\s*\}\}")
_STACK: dict[str, Callable[[Frame], str]] = {
    "stack.function": lambda frame: frame.function,
    "stack.module": lambda frame: frame.module,
    "stack.path": lambda frame: frame.path or frame.filename,
}
_ALIASES = {"error.type": "type", "error.value": "value", "title": "message", "env": "environment"}
FIELDS = (*COLUMNS, *_STACK)
# What a fingerprint may hold beside the fields: the group itself, and the innermost call of the application.
SLOTS = ("default", *COLUMNS, "function", "module")


@dataclass(frozen=True, slots=True)
class Truth:
    """A condition that is decided already."""

    holds: bool

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.holds and other.holds)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.holds or other.holds)

    def __invert__(self) -> Truth:
        return Truth(not self.holds)


class _Fields:
    """Fields of one event."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    def everything(self) -> Truth:
        return Truth(True)

    def text(self, text: Text) -> Truth:
        return Truth(_holds(Value(f"*{text.value.raw}*"), self._sample.fields.get("message", "")))

    def match(self, match: Match) -> Truth:
        found = self._values(match)
        if match.op is Op.PRESENT:
            return Truth(any(found))
        if match.op is not Op.EQ:
            raise BadQuery(
                _("%(field)s cannot be compared with < or >.") % {"field": match.field},
                hint=_("Write %(field)s:value or %(field)s:(a OR b).") % {"field": match.field},
                field=match.field,
                position=match.position,
            )
        return Truth(any(_holds(value, text) for value in match.values for text in found))

    def _values(self, match: Match) -> list[str]:
        name = _ALIASES.get(match.field, match.field)
        if name.startswith("tags."):
            return [self._sample.tags.get(name[5:], "")]
        if name in _STACK:
            return [_STACK[name](frame) for frame in self._sample.frames]
        if name in COLUMNS:
            return [self._sample.fields.get(name, "")]
        raise BadQuery(
            _('There is no field "%(field)s".') % {"field": match.field},
            hint=did_you_mean(match.field, FIELDS)
            or _('A tag is asked for as tags.%(field)s; text with ":" is put in quotes.') % {"field": match.field},
            field=match.field,
            position=match.position,
        )


def _holds(value: Value, text: str) -> bool:
    if value.is_pattern:
        return re.fullmatch(wildcards(value), text.lower(), re.DOTALL) is not None
    return value.text.lower() == text.lower()


_NOTHING = Sample({}, {}, [], 0)


def check(query: str, fingerprint: str) -> list[str]:
    """Return a fingerprint's parts. Raises BadQuery, BadInput for what cannot be a rule."""
    if not query.strip():
        raise BadInput(_("A rule needs a query."), hint=_("For example type:TimeoutError"), field="query")
    compile_node(parse(query), _Fields(_NOTHING))
    parts = [part.strip() for part in fingerprint.split(",") if part.strip()]
    if not 0 < len(parts) <= PARTS_MAX:
        raise BadInput(
            _("A fingerprint has 1 to %(limit)d parts.") % {"limit": PARTS_MAX},
            hint=_("For example: timeout, {{ service }}"),
            field="fingerprint",
        )
    for name in _SLOT.findall(fingerprint):
        if name not in SLOTS and not name.startswith("tags.") and name not in _ALIASES:
            raise BadInput(
                _('A fingerprint knows no "%(name)s".') % {"name": name[:60]},
                hint=did_you_mean(name, SLOTS) or ", ".join(SLOTS),
                field="fingerprint",
            )
    return parts


def matches(query: str, sample: Sample) -> bool:
    """Whether a rule's query selects the event. Raises BadQuery."""
    return compile_node(parse(query), _Fields(sample)).holds


def filled(parts: Sequence[str], sample: Sample) -> list[str]:
    """Return a fingerprint's parts with the event's values in them."""
    own = [frame for frame in sample.frames if frame.is_in_app] or list(sample.frames)
    values = {
        **sample.fields,
        "default": f"{sample.group:x}",
        "function": own[0].function if own else "",
        "module": own[0].module if own else "",
    }

    def value(slot: re.Match[str]) -> str:
        name = _ALIASES.get(slot[1], slot[1])
        return sample.tags.get(name[5:], "") if name.startswith("tags.") else values.get(name, "")

    return [_SLOT.sub(value, part) for part in parts]


def key_of(sample: Sample, rules: Sequence[FingerprintRule]) -> str:
    """Return the key of the issue that a rule gives a new group, "" where none does."""
    for rule in rules:
        if matches(rule.query, sample):
            return key_from(filled(check(rule.query, rule.fingerprint), sample))
    return ""


def key_from(parts: Sequence[str]) -> str:
    """Return the key of an issue that is told by `parts`."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()


def rules_in_force() -> list[FingerprintRule]:
    """Return the rules in the order in which they are asked."""
    return list(FingerprintRule.objects.filter(is_enabled=True).order_by("position", "name"))


def issue_by(project: int, key: str) -> Issue | None:
    """Return the issue that a rule's key stands for already."""
    found = RuleKey.objects.filter(project=project, key=key).select_related("issue__merged_into").first()
    if found is None:
        return None
    return found.issue.merged_into or found.issue
