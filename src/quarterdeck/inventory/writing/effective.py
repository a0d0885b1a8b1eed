"""Which source's value counts. First the attribute's authority list, then people, then sources, then imports, then
what sends telemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quarterdeck.inventory.catalogue import AttributeSpec, TypeSpec
from quarterdeck.inventory.models import Kind, State
from quarterdeck.inventory.writing.content import LABEL, Content

MANUAL = "manual"
IMPORT = "import"
# Telemetry that a sender is bound to an item by: it knows a name for it, which any other source knows better.
INTAKE = "intake"
# Sources that are people deciding, not programs observing.
PEOPLE = frozenset({MANUAL, IMPORT})
# What people decide alone: no source can be in drift with them.
_DECIDED = frozenset({"name", "owner", "env", "raw_state"})


@dataclass(slots=True)
class Seen:
    """One source's last word. `order` tells the older source: it wins a tie, so that values do not flap."""

    source: str
    content: Content
    order: int
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """A drift. `kind` is "wish" (set by hand against observed) or "sources" (two sources disagree)."""

    field: str
    kind: str
    desired: Any
    observed: Any
    source: str


def _rank(source: str, order: int, authority: Sequence[str]) -> tuple[int, int]:
    if source in authority:
        return (0, authority.index(source))
    if source == MANUAL:
        return (-1 if MANUAL not in authority else 0, 0)
    return ({IMPORT: 2, INTAKE: 3}.get(source, 1), order)


def _sources(desired: Content, seen: Sequence[Seen]) -> list[Seen]:
    """Return who may speak: people, and the sources that still see the item (all of them when none does).

    One that knows no more than a name does not silence those that know what the item was.
    """
    live = [one for one in seen if one.is_live]
    if not any(one.content.keys() - {"name"} for one in live):
        live = list(seen)
    live.sort(key=lambda one: _rank(one.source, one.order, ()))
    return [Seen(MANUAL, desired, 0), *live] if desired else live


def effective(spec: TypeSpec, desired: Content, seen: Sequence[Seen]) -> Content:
    """Return the values in force. `desired` may hide a label with None."""
    speakers = _sources(desired, seen)
    content: Content = {}
    for speaker in reversed(speakers):
        content.update(speaker.content)
    if len(speakers) > 1:
        _apply_authority(spec, content, speakers)
    for code, default in spec.defaults.items():
        if content.get(code) is None:
            content[code] = default
    if content.get("state") == State.UNKNOWN:
        del content["state"]  # the absence of one, as in `content_of_item`
    return {field: value for field, value in content.items() if value is not None}


def _apply_authority(spec: TypeSpec, content: Content, speakers: Sequence[Seen]) -> None:
    for field in content:
        attribute = spec.attributes.get(field)
        if attribute is not None and attribute.authority:
            said = [one for one in speakers if one.content.get(field) is not None]
            if said:
                best = min(said, key=lambda one: _rank(one.source, one.order, attribute.authority))
                content[field] = best.content[field]


def is_noise(attribute: AttributeSpec | None, old: Any, new: Any) -> bool:
    """Whether a change of a number stays inside the attribute's dead-band."""
    if attribute is None or attribute.deadband is None or attribute.kind not in (Kind.INTEGER, Kind.NUMBER):
        return False
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    return numbers and abs(new - old) < attribute.deadband


def _says_nothing(field: str, value: Any) -> bool:
    """Whether a source has no word on the field; the state "unknown" is none either."""
    return value is None or (field == "state" and value == State.UNKNOWN)


def keep_quiet(spec: TypeSpec, before: Mapping[str, Any], after: Content) -> None:
    """Keep the old value where the new one differs by less than the dead-band."""
    for attribute in spec.deadbands:
        field = attribute.code
        if field in before and field in after and is_noise(attribute, before[field], after[field]):
            after[field] = before[field]


def differences(spec: TypeSpec, desired: Content, seen: Sequence[Seen], after: Content) -> list[Difference]:
    """Return the drift of one item: wishes that are not met, and sources that contradict the value in force."""
    live = [one for one in seen if one.is_live]
    if not live or (not desired and len(live) < 2):
        return []
    live.sort(key=lambda one: _rank(one.source, one.order, ()))
    found: dict[str, Difference] = {}
    for one in live:
        for field, value in one.content.items():
            if field in found or field in _DECIDED or field.startswith(LABEL):
                continue
            attribute = spec.attributes.get(field)
            wish = desired.get(field)
            expected = after.get(field) if wish is None else wish
            untracked = attribute is not None and not attribute.track_history
            if _says_nothing(field, value) or value == expected or untracked or is_noise(attribute, expected, value):
                continue
            found[field] = Difference(field, "sources" if wish is None else "wish", expected, value, one.source)
    return list(found.values())
