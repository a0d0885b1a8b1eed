"""What was shown becomes records: first keys approved where that was asked for, changed ones an alarm."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.jobs.host_keys import alarming
from quarterdeck.jobs.host_keys.deciding import decide, facts_of, save, stored
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState, Origin
from quarterdeck.jobs.host_keys.places import place_of
from quarterdeck.remote.host_keys import Place, Seen, Verdict

_CHANGING = ["state", "is_change", "item", "last_seen", "origin", "decided_by", "decided_at"]


class Keeping:
    """One call of `keep`: what is stored of the places, what is new, what is to be told."""

    def __init__(self, actor: Actor, items: Mapping[Place, int]) -> None:
        self._actor = actor
        self._at = now()
        self._items = {place_of(place): item for place, item in items.items()}
        self._rows: dict[Place, dict[str, HostKey]] = defaultdict(dict)
        self._accepted: list[HostKey] = []
        self._changed: list[HostKey] = []

    def keep(self, seen: Iterable[Seen]) -> None:
        """Store the shown keys. What was accepted comes first: what was shown after it is a change."""
        shown = sorted(dict.fromkeys(seen), key=lambda one: one.verdict is not Verdict.ACCEPTED)
        for row in stored(place_of((one.address, one.port)) for one in shown):
            self._rows[row.address, row.port][row.fingerprint] = row
        for one in shown:
            self._take(one)
        rows = [row for found in self._rows.values() for row in found.values() if row.last_seen == self._at]
        save(rows, _CHANGING)
        self._tell()

    def _take(self, one: Seen) -> None:
        place = place_of((one.address, one.port))
        known = self._rows[place]
        # What was decided on at the place makes it no first contact, whatever was known when the work began.
        is_first = not any(row.state != HostKeyState.PENDING or row.is_change for row in known.values())
        has_approved = any(row.state == HostKeyState.APPROVED for row in known.values())
        row = known.get(one.fingerprint)
        if row is None:
            row = known[one.fingerprint] = HostKey(
                address=place[0], port=place[1], key=one.key, fingerprint=one.fingerprint, first_seen=self._at
            )
        row.last_seen = self._at
        row.item_id = self._items.get(place, row.item_id)
        if one.verdict is Verdict.ACCEPTED and is_first:
            decide(row, HostKeyState.APPROVED, self._actor, self._at, Origin.FIRST_CONTACT)
            self._accepted.append(row)
        elif row.state == HostKeyState.PENDING and not row.is_change:
            row.is_change = has_approved or one.verdict is Verdict.CHANGED
            if row.is_change:
                self._changed.append(row)

    def _tell(self) -> None:
        for row in self._accepted:
            record(self._actor, "jobs.accept_host_key", row, "at first contact", after=facts_of(row))
        for row in self._changed:
            record(self._actor, "jobs.host_key_changed", row, "not approved", after=facts_of(row))
        if self._changed:
            alarming.raise_alarm(self._changed, self._approved, self._at, self._actor)

    def _approved(self, row: HostKey) -> list[str]:
        rows = self._rows[row.address, row.port].values()
        return [other.fingerprint for other in rows if other.state == HostKeyState.APPROVED]
