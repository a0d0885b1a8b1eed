"""Rules that say whose an issue is, written as Sentry's ownership rules are; the last line that matches counts.

    # pattern                   people by user name or e-mail address, groups as #name
    path:src/payments/*         ann #payments
    module:shop.orders*         bob@example.org
    url:https://shop.example/*  #web
    tags.region:eu              ann

`*` stands for anything, `?` for one character, `[ab]` for one of these; capitals do not matter. A path matches as a
whole or from any of its folders on, since the same file has another place on every machine.
See https://docs.sentry.io/product/issues/ownership-rules/
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.errors.sampling import Sample

TEXT_MAX, RULES_MAX, OWNERS_MAX = 100_000, 1000, 20
KINDS = ("path", "module", "url", "tags.NAME")
_LINE = re.compile(r'(?P<kind>[\w.\-]+):(?P<pattern>"[^"]*"|\S+)(?P<owners>.*)')
_SUBJECT = re.compile(r'([\w.\-]+):("[^"]*"|\S+)')
_TAG = re.compile(r"tags\.[\w.\-]{1,200}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A line, by its number from 1; `kind` is path, module, url or the name of a tag as `tags.x`."""

    line: int
    kind: str
    pattern: str
    owners: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}:{self.pattern}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules look at: `{"path": ["src/pay.py"], "tags.region": ["eu"]}`."""

    values: dict[str, list[str]] = field(default_factory=dict)


def parse(text: str) -> list[Rule]:
    """Return the rules of a text. Raises BadInput with the line's number."""
    if len(text) > TEXT_MAX or text.count("\n") > 5 * RULES_MAX:
        raise BadInput(_("The rules are longer than %(limit)d characters.") % {"limit": TEXT_MAX}, field="text")
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    found = [_rule(number, line) for number, line in lines if line and not line.startswith("#")]
    if len(found) > RULES_MAX:
        raise BadInput(_("There are more than %(limit)d rules.") % {"limit": RULES_MAX}, field="text")
    return found


def _rule(number: int, line: str) -> Rule:
    found = _LINE.fullmatch(line)
    if found is None:
        raise _wrong(number, _("a rule is a pattern and its owners"), "path:src/payments/* ann #payments")
    kind, owners = found["kind"], tuple(found["owners"].split())
    if kind not in ("path", "module", "url") and not _TAG.fullmatch(kind):
        raise _wrong(
            number, _('there is no "%(name)s"') % {"name": kind[:60]}, did_you_mean(kind, KINDS) or ", ".join(KINDS)
        )
    if not 0 < len(owners) <= OWNERS_MAX:
        raise _wrong(number, _("a rule has 1 to %(limit)d owners") % {"limit": OWNERS_MAX}, "ann #payments")
    return Rule(number, kind, found["pattern"].strip('"')[:500], owners)


def _wrong(number: int, message: str, hint: str) -> BadInput:
    return BadInput(
        _("Line %(number)d: %(message)s.") % {"number": number, "message": message}, hint=hint, field="text"
    )


def subject_of(text: str) -> Subject:
    """Return what a line like `path:src/pay.py tags.region:eu` describes. Raises BadInput for one that does not."""
    values: dict[str, list[str]] = {}
    for kind, value in _SUBJECT.findall(text[:2000]):
        values.setdefault(kind, []).append(value.strip('"'))
    if not values:
        raise BadInput(
            _("Write what an event has."), hint=_("For example path:src/payments/refund.py tags.region:eu"), field="q"
        )
    return Subject(values)


def subject_of_event(sample: Sample) -> Subject:
    """Return what rules look at of an event: the application's frames, all where none is marked as such."""
    frames = [frame for frame in sample.frames if frame.is_in_app] or list(sample.frames)
    values = {
        "path": [path for frame in frames for path in (frame.filename, frame.path) if path],
        "module": [frame.module for frame in frames if frame.module],
        "url": [sample.url] if sample.url else [],
        **{f"tags.{name}": [value] for name, value in sample.tags.items()},
    }
    return Subject(values)


def match(rules: Sequence[Rule], subject: Subject) -> Rule | None:
    """Return the last rule that fits, None for none."""
    for rule in reversed(rules):
        expression = _compiled(rule.pattern)
        if any(expression.fullmatch(text) for text in _texts(rule.kind, subject)):
            return rule
    return None


@lru_cache(maxsize=2000)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Its stars do not go back and forth, however many there are.
    return re.compile(fnmatch.translate(pattern.lower()))


def _texts(kind: str, subject: Subject) -> Iterable[str]:
    for value in subject.values.get(kind, ()):
        lowered = value.lower()
        yield lowered
        if kind == "path":
            parts = lowered.replace("\\", "/").split("/")[:60]
            yield from ("/".join(parts[start:]) for start in range(len(parts)))
