"""What a source is: it reads pages from the world, and says, purely, what each page holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from quarterdeck.core.errors import OpsError
from quarterdeck.inventory.found import Found

Page = Mapping[str, Any]

FAMILY = "quarterdeck.inventory.connectors"


@dataclass(frozen=True, slots=True)
class Session:
    """One pass over one scope. `since` is when the last complete pass began, None before the first."""

    scope: str
    since: datetime | None = None


class PartOfPass(OpsError):
    """A part of a scope could not be read; the rest was. Nothing of the scope is taken for missing then."""

    code = "partial"


@dataclass(frozen=True, slots=True)
class Connector:
    """A source of items.

    `scopes()` names the parts of the source that are there now, each synchronised, and failing, for itself.
    `pages(session)` does all the I/O and yields JSON; it raises OpsError when the scope cannot be read, or, after the
    pages that could be, PartOfPass. `found(page)` is pure. Secrets are left out by `pages`: pages may be kept.
    `settings` are the names of the options that it reads. `operations` are what it can do to an item of its own, by
    the source's external id: `{"restart": function(session, external_id)}`.
    """

    title: str
    scopes: Callable[[], Sequence[str]]
    pages: Callable[[Session], Iterator[Page]]
    found: Callable[[Page], Iterable[Found]]
    settings: tuple[str, ...] = ()
    operations: Mapping[str, Callable[[Session, str], None]] | None = None
