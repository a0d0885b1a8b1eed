"""How a role's query selects records. `inventory` stands above this package, so it registers its compiler here."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Model, Q

_COMPILERS: dict[type[Model], Callable[[str], Q]] = {}


def register(model: type[Model], compile_query: Callable[[str], Q]) -> None:
    """Let roles be scoped to records of `model`; `compile_query` turns a role's query into Q and raises BadQuery."""
    _COMPILERS[model] = compile_query


def compiler(model: type[Model]) -> Callable[[str], Q] | None:
    return _COMPILERS.get(model)


def models() -> tuple[type[Model], ...]:
    return tuple(_COMPILERS)
