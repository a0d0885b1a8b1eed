"""Which item is a record about? By the record's own key first, then by identities, strongest first; never a guess."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quarterdeck.inventory.found import STRENGTHS, Found
from quarterdeck.inventory.models import Identity, Lifecycle, Observation

Key = tuple[str, str]  # kind, value

# Values that vendors and cloned images leave behind: they identify nothing.
_MEANINGLESS = frozenset(
    {
        "", "0", "none", "null", "unknown", "n/a", "na", "default string", "to be filled by o.e.m.", "not specified",
        "system serial number", "not applicable", "chassis serial number", "localhost", "localhost.localdomain",
        "127.0.0.1", "::1", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff", "03000200-0400-0500-0006-000700080009", "0123456789",
    }
)  # fmt: skip
_ALIVE = (Lifecycle.ACTIVE.value, Lifecycle.MISSING.value, Lifecycle.ABSENT.value)


def swapped(uuid: str) -> str:
    """Return an SMBIOS UUID with its first three fields in the other byte order, which firmware and tools mix up."""
    digits = uuid.replace("-", "")
    if len(digits) != 32:
        return uuid
    first = "".join(reversed([digits[i : i + 2] for i in range(0, 8, 2)]))
    second = digits[10:12] + digits[8:10]
    third = digits[14:16] + digits[12:14]
    return f"{first}-{second}-{third}-{digits[16:20]}-{digits[20:]}"


def normal(identities: Iterable[Sequence[str]]) -> list[list[str]]:
    """Return identities in their stored form, without those that mean nothing; raises KeyError for an unknown kind."""
    found: dict[Key, None] = {}
    for kind, raw in identities:
        STRENGTHS[kind]
        value = str(raw).strip().lower()[:255]
        if kind == "smbios_uuid" and len(value) == 36:
            value = min(value, swapped(value))
        if value not in _MEANINGLESS:
            found[(kind, value)] = None
    return [list(key) for key in found]


@dataclass(slots=True)
class Evidence:
    """A row and an item that may be one: for a person to decide."""

    item_id: int
    keys: list[Key]


@dataclass(slots=True)
class Verdict:
    """`item_id` None means a new item; `proposals` are items that it may be, without enough proof."""

    item_id: int | None = None
    proposals: list[Evidence] = field(default_factory=list)


@dataclass(slots=True)
class _Known:
    """What the database knows of the identities of a chunk."""

    holders: dict[Key, set[int]]
    poisoned: set[Key]
    of_item: dict[int, dict[str, set[str]]]
    same_source: set[int]
    type_of: dict[int, int]


def _load(keys: set[Key], source: str) -> _Known:
    rows = list(
        Identity.objects.filter(
            kind__in={kind for kind, _value in keys},
            value__in={value for _kind, value in keys},
            item__lifecycle__in=_ALIVE,
        ).values_list("kind", "value", "item_id", "source", "item__type_id")
    )
    holders: dict[Key, set[int]] = defaultdict(set)
    by_source: dict[tuple[Key, str], set[int]] = defaultdict(set)
    type_of: dict[int, int] = {}
    for kind, value, item, said_by, type_id in rows:
        if (kind, value) in keys:
            holders[(kind, value)].add(item)
            by_source[((kind, value), said_by)].add(item)
            type_of[item] = type_id
    of_item: dict[int, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for item, kind, value in Identity.objects.filter(item_id__in=list(type_of)).values_list("item_id", "kind", "value"):
        of_item[item][kind].add(value)
    same = Observation.objects.filter(item_id__in=list(type_of), source=source, gone_at=None)
    return _Known(
        holders,
        {key for (key, _source), items in by_source.items() if len(items) > 1},
        of_item,
        set(same.values_list("item_id", flat=True)),
        type_of,
    )


def identify(rows: Sequence[tuple[Found, int, list[list[str]]]], source: str) -> list[Verdict]:
    """Return a verdict for each `(found, type id, identities)`: three queries for all of them."""
    counts = Counter((kind, value) for _found, _type, identities in rows for kind, value in identities)
    repeated = {key for key, count in counts.items() if count > 1}
    keys = set(counts) - repeated
    if not keys:
        return [Verdict() for _row in rows]
    known = _load(keys, source)
    return [
        _judge(type_id, [(kind, value) for kind, value in identities if (kind, value) in keys], known)
        for _found, type_id, identities in rows
    ]


def _judge(type_id: int, keys: list[Key], known: _Known) -> Verdict:
    verdict = Verdict()
    evidence: dict[int, list[Key]] = defaultdict(list)
    own = defaultdict(set)
    for kind, value in keys:
        own[kind].add(value)
    for key in sorted(keys, key=lambda key: STRENGTHS[key[0]]):
        if key in known.poisoned:
            continue
        candidates = {item for item in known.holders.get(key, ()) if known.type_of[item] == type_id}
        if len(candidates) == 1 and verdict.item_id is None and _may_merge(key[0], next(iter(candidates)), own, known):
            verdict.item_id = next(iter(candidates))
        elif len(candidates) <= 3:
            for item in candidates:
                evidence[item].append(key)
    evidence.pop(verdict.item_id or 0, None)
    verdict.proposals = [Evidence(item, found) for item, found in evidence.items()]
    return verdict


def _may_merge(kind: str, item: int, own: dict[str, set[str]], known: _Known) -> bool:
    """Strength 1-3: yes. 4-7: unless this source already tells of that item, or a stronger key contradicts."""
    strength = STRENGTHS[kind]
    if strength <= 3:
        return True
    if strength >= 8 or item in known.same_source:
        return False
    theirs = known.of_item[item]
    return not any(
        theirs.get(stronger) and values.isdisjoint(theirs[stronger])
        for stronger, values in own.items()
        if STRENGTHS[stronger] < strength
    )
