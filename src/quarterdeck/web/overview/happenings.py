"""What happened lately, with what one call did to many items as one line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from quarterdeck.inventory.queries import Moment


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the timeline; `others` is how many further items the same call did the same to."""

    moment: Moment
    others: int


def _key(moment: Moment) -> tuple[object, ...]:
    """Changes of one call are alike; an event is only like itself."""
    if moment.kind.startswith("inventory.") and "change_set" in moment.detail:
        return (moment.kind, moment.detail["change_set"])
    return (moment.kind, moment.at, moment.item_id, moment.title)


def happenings(moments: Iterable[Moment], limit: int) -> Iterator[Happening]:
    """Yield at most `limit` lines of moments that come newest first."""
    for count, (_key_of_group, group) in enumerate(groupby(moments, key=_key)):
        if count == limit:
            return
        rows = list(group)
        yield Happening(rows[0], len(rows) - 1)
