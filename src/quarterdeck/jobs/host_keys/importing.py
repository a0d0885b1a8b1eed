"""A known_hosts file becomes approved keys: by the names that it tells, and by the hosts that a hashed one is of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, visible
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import TooMany
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.host_keys import alarming
from quarterdeck.jobs.host_keys.actions import DECIDED
from quarterdeck.jobs.host_keys.deciding import decide, facts_of, keep_others_out, save, stored
from quarterdeck.jobs.host_keys.known_hosts import Entry, Skipped, names_of, read
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState, Origin
from quarterdeck.jobs.host_keys.places import Place, address_of
from quarterdeck.jobs.host_keys.scope import DECIDE, is_unlimited

MAX_LINES = 50_000
# Each hashed name is tried with each known host, a microsecond each.
_MAX_TRIES = 5_000_000


@dataclass(slots=True)
class Imported:
    """How many keys are approved or refused (@revoked) now and were not before, how many already were, and the rest."""

    approved: int = 0
    refused: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)


@action(DECIDE)
def import_known_hosts(actor: Actor, text: str) -> Imported:
    """Approve the keys of a known_hosts file. Raises Denied, TooMany.

    A name that an item has counts for the place where the item is reached as well. Where another key of the same kind
    is approved, and for a key that was refused, the file does not decide.
    """
    if text.count("\n") > MAX_LINES:
        raise TooMany(_("More than %(limit)d lines.") % {"limit": MAX_LINES}, hint=_("Split the file."))
    entries, skipped = read(text)
    keep_others_out()
    this = _Importing(actor, Imported(skipped=skipped), sum(entry.hashed is not None for entry in entries))
    this.take([pair for entry in entries for pair in this.wanted(entry)])
    done = this.done
    done.skipped.sort(key=lambda one: one.line)
    counts = {"approved": done.approved, "refused": done.refused, "skipped": len(done.skipped)}
    record(actor, "jobs.import_host_keys", None, f"{done.approved} approved, {done.refused} refused", after=counts)
    return done


class _Importing:
    """One import: the hosts that the actor may decide on, and what is stored of the file's places."""

    def __init__(self, actor: Actor, done: Imported, hashed: int) -> None:
        self._actor, self.done, self._at = actor, done, now()
        self._is_unlimited = is_unlimited(actor, DECIDE)
        # Where an item is reached, and what it is called there: {("web1", 22): {(("10.0.0.7", 22), 17)}}.
        self._reached: dict[Place, set[tuple[Place, int]]] = defaultdict(set)
        for pk, names, reached in _hosts(actor):
            for name in names:
                self._reached[name].add((reached, pk))
        self._may_try = hashed * len(self._reached) <= _MAX_TRIES

    def wanted(self, entry: Entry) -> Iterator[tuple[Place, int | None, Entry]]:
        """Yield `(place, item, entry)` for each place that an entry is for."""
        if entry.hashed is None:
            for place in entry.places:
                yield from self._at_place(place, entry)
            return
        if not self._may_try:
            self._skip(entry, "|1|", _("too many hashed names for as many hosts: import the file in parts"))
            return
        found = [place for place in self._reached if any(map(entry.hashed.is_of, names_of(place)))]
        if not found:
            self._skip(entry, "|1|", _("its name is hashed, and of no host in the inventory"))
        for place in found:
            yield from self._at_place(place, entry)

    def _at_place(self, place: Place, entry: Entry) -> Iterator[tuple[Place, int | None, Entry]]:
        found: dict[Place, int | None] = dict(self._reached.get(place, ()))
        if self._is_unlimited:
            found.setdefault(place, next(iter(found.values()), None))
        if not found:
            self._skip(entry, _shown(place), _("it is of no host that you may decide on"))
        for reached, item in found.items():
            yield reached, item, entry

    def _skip(self, entry: Entry, name: str, reason: str) -> None:
        self.done.skipped.append(Skipped(entry.line, name, reason))

    def take(self, wanted: list[tuple[Place, int | None, Entry]]) -> None:
        """Decide on each key of each place, and save."""
        rows: dict[Place, dict[str, HostKey]] = defaultdict(dict)
        named: dict[Place, set[str]] = defaultdict(set)
        for place, _item, entry in wanted:
            named[place].add(entry.fingerprint)
        for row in stored(named):
            rows[row.address, row.port][row.fingerprint] = row
        changed: list[HostKey] = []
        alarms: list[HostKey] = []
        for place, item, entry in wanted:
            row = rows[place].get(entry.fingerprint) or self._new(place, item, entry)
            is_alarm = row.is_alarm
            if self._decide(row, entry, rows[place], named[place]):
                rows[place][entry.fingerprint] = row
                changed.append(row)
                alarms.extend([row] if is_alarm else [])
        save(changed, DECIDED)
        for row in changed:
            verb = "jobs.approve_host_key" if row.state == HostKeyState.APPROVED else "jobs.refuse_host_key"
            record(self._actor, verb, row, "known_hosts", after=facts_of(row))
        alarming.end_alarm(alarms, _("The changed host key was in a known_hosts file"), self._at, self._actor)

    def _new(self, place: Place, item: int | None, entry: Entry) -> HostKey:
        return HostKey(
            address=place[0], port=place[1], key=entry.key, fingerprint=entry.fingerprint, item_id=item,
            first_seen=self._at,
        )  # fmt: skip

    def _decide(self, row: HostKey, entry: Entry, at_place: dict[str, HostKey], named: set[str]) -> bool:
        """Set the state that the file says; return whether that is a change."""
        state = HostKeyState.REFUSED if entry.is_revoked else HostKeyState.APPROVED
        if row.state == state and row.decided_at:
            self.done.unchanged += 1
            return False
        if reason := self._against(row, entry, at_place, named):
            self._skip(entry, row.place, reason)
            return False
        decide(row, state, self._actor, self._at, Origin.KNOWN_HOSTS)
        self.done.refused += entry.is_revoked
        self.done.approved += not entry.is_revoked
        return True

    def _against(self, row: HostKey, entry: Entry, at_place: dict[str, HostKey], named: set[str]) -> str:
        """Return why the file does not decide, "" where it does."""
        if entry.is_revoked:
            return ""
        if row.state == HostKeyState.REFUSED:
            return _("this key was refused; approve it by hand if it is right after all")
        for other in at_place.values():
            is_other = other.state == HostKeyState.APPROVED and other.algorithm == row.algorithm
            if is_other and other.fingerprint not in named:
                return _("another key of this kind is approved here; if the host was made anew, approve it by hand")
        return ""


def _hosts(actor: Actor) -> Iterator[tuple[int, set[Place], Place]]:
    """Yield `(item, the places it may be called by, the place where it is reached)` of what the actor may decide on."""
    codes = [code for code, spec in catalogue().types.items() if "ssh_port" in spec.attributes]
    items = visible(actor, DECIDE, Item.objects.filter(type__code__in=codes, merged_into=None))
    for pk, name, primary_ip, attributes in items.values_list("pk", "name", "primary_ip", "attributes").iterator():
        port = int(attributes.get("ssh_port") or 22)
        names = [address_of(str(one)) for one in (primary_ip, attributes.get("fqdn"), name) if one]
        yield pk, {(one, port) for one in names}, (names[0], port)


def _shown(place: Place) -> str:
    return place[0] if place[1] == 22 else f"[{place[0]}]:{place[1]}"
