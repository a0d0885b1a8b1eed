"""Every verb of the product. Each package registers its own when the application starts."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean


@dataclass(frozen=True, slots=True)
class Verb:
    """A right. A `scoped` verb is granted on what a role's query selects.

    Another one is about the whole product, so a role with a query does not grant it, unless it is about one's `own`.
    """

    name: str
    title: str | Promise
    scoped: bool
    own: bool


_VERBS: dict[str, Verb] = {}


def register(name: str, title: str | Promise, *, scoped: bool = True, own: bool = False) -> None:
    """Add a verb such as "inventory.edit" with the title that people read."""
    _VERBS[name] = Verb(name, title, scoped, own)


def verbs() -> dict[str, Verb]:
    """Return `{"inventory.edit": Verb}`, ordered by name."""
    return dict(sorted(_VERBS.items()))


def grants(patterns: list[str], name: str) -> bool:
    """Whether one of a role's `verbs` ("*", "inventory.*", "inventory.view") covers `name`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def works_with_query(name: str) -> bool:
    """Whether a role that has a query can grant the verb."""
    verb = _VERBS.get(name)
    return verb is not None and (verb.scoped or verb.own)


def expand(patterns: list[str]) -> set[str]:
    """Return the names of all verbs that `patterns` cover."""
    return {name for name in _VERBS if grants(patterns, name)}


def check_patterns(patterns: list[str]) -> None:
    """Raise BadInput for a pattern that covers no verb."""
    for pattern in patterns:
        if not expand([pattern]):
            near = did_you_mean(pattern, _VERBS)
            raise BadInput(
                _('no permission is called "%(name)s"') % {"name": pattern},
                hint=near or ", ".join(sorted(_VERBS)),
                field="verbs",
            )
