"""The one place that says who may do what, and the decorator that every action wears."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access import grants as granted
from quarterdeck.access import scopes
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.audit.appending import gathered
from quarterdeck.core.errors import Denied, OpsError

__all__ = ["ACTIONS", "Action", "action", "may", "require", "scopes", "visible"]

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Model)
_CHUNK = 500


def may(actor: Actor, verb: str, item: Model | None = None) -> bool:
    """Whether `actor` may `verb` on `item`; without one, on anything at all."""
    if item is None:
        return all(any(grant.covers(verb) for grant in grants) for grants in granted.holders(actor))
    return _count_allowed(actor, verb, type(item), [item.pk]) == 1


def visible(actor: Actor, verb: str, queryset: QuerySet[M]) -> QuerySet[M]:
    """Return `queryset` limited to the records on which `actor` may `verb`. Every list is read through this."""
    allowed = granted.allowed(actor, verb, queryset.model)
    return queryset.filter(allowed) if allowed else queryset


def require(actor: Actor, verb: str, items: Model | Sequence[Model] | QuerySet[Any] | None = None) -> None:
    """Raise Denied unless `actor` may `verb` on every one of `items`; with None, on anything at all."""
    if not may(actor, verb):
        raise _denied(actor, verb)
    if items is None:
        return
    if isinstance(items, QuerySet):
        allowed = granted.allowed(actor, verb, items.model)
        if allowed and items.exclude(pk__in=items.model._default_manager.filter(allowed).values("pk")).exists():
            raise _denied(actor, verb, _("some of the selected objects"))
        return
    for model, keys in _by_model([items] if isinstance(items, Model) else items).items():
        if _count_allowed(actor, verb, model, keys) != len(keys):
            raise _denied(actor, verb, _("some of the selected objects"))


def _by_model(items: Iterable[Model]) -> dict[type[Model], list[Any]]:
    keys: dict[type[Model], set[Any]] = {}
    for item in items:
        keys.setdefault(type(item), set()).add(item.pk)
    return {model: list(found) for model, found in keys.items()}


def _count_allowed(actor: Actor, verb: str, model: type[Model], keys: list[Any]) -> int:
    if not may(actor, verb):
        return 0
    allowed = granted.allowed(actor, verb, model)
    if not allowed:
        return len(keys)
    chunks = (keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK))
    return sum(model._default_manager.filter(allowed, pk__in=chunk).count() for chunk in chunks)


def _denied(actor: Actor, verb: str, on: str = "") -> Denied:
    message = _('%(actor)s lacks the permission "%(verb)s"') % {"actor": actor.name, "verb": verb}
    hint = _("An administrator grants it with a role, on the Access page.")
    return Denied(f"{message}: {on}" if on else message, hint=hint)


@dataclass(frozen=True, slots=True)
class Action:
    """A registered action: its dotted name, its verb, the function as others call it."""

    name: str
    verb: str
    call: Callable[..., Any]
    is_open: bool = False


ACTIONS: dict[str, Action] = {}


@contextmanager
def _in_transaction() -> Iterator[None]:
    """A transaction whose audit records are its last statements."""
    with transaction.atomic(), gathered():
        yield


_is_inside: ContextVar[bool] = ContextVar("is_inside_action", default=False)


def action(
    verb: str, *, atomic: bool = True, is_open: bool = False
) -> Callable[[Callable[Concatenate[Actor, P], R]], Callable[Concatenate[Actor, P], R]]:
    """Make a function `f(actor, ...)` an action: `verb` is required, one transaction is opened, failures are audited.

    A failed or refused attempt is recorded after the roll-back, by the outermost action only, so that the record is not
    rolled back with it. `atomic=False` is for long work that commits in chunks by calling other actions. One that
    `is_open` needs no permission: it checks something else, a link's secret, and `verb` only names it in the log.
    """

    def decorate(function: Callable[Concatenate[Actor, P], R]) -> Callable[Concatenate[Actor, P], R]:
        name = f"{function.__module__.removeprefix('quarterdeck.')}.{function.__name__}"

        def run(actor: Actor, *args: P.args, **kwargs: P.kwargs) -> R:
            with _in_transaction() if atomic else nullcontext():
                if not is_open:
                    require(actor, verb)
                return function(actor, *args, **kwargs)

        @wraps(function)
        def call(actor: Actor, *args: P.args, **kwargs: P.kwargs) -> R:
            if _is_inside.get():
                return run(actor, *args, **kwargs)
            mark = _is_inside.set(True)
            try:
                return run(actor, *args, **kwargs)
            except Exception as error:
                _record_failure(actor, verb, name, error)
                raise
            finally:
                _is_inside.reset(mark)

        ACTIONS[name] = Action(name, verb, call, is_open)
        return cast("Callable[Concatenate[Actor, P], R]", call)

    return decorate


def _record_failure(actor: Actor, verb: str, name: str, error: Exception) -> None:
    """Record an attempt that changed nothing. Our own faults are named by class only: their text may hold secrets."""
    result = "denied" if isinstance(error, Denied) else "error"
    text = error.message if isinstance(error, OpsError) else type(error).__name__
    record(actor, verb, None, name, result=result, error=text)  # type: ignore[arg-type]  # mypy widens the literal
