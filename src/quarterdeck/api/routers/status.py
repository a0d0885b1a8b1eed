"""How the instance is doing, and who one is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import orjson
from django.http import HttpRequest
from django.urls import resolve
from ninja import Router, Schema
from typing_extensions import TypedDict

from quarterdeck.access.checks import may
from quarterdeck.access.registry import verbs
from quarterdeck.api.auth import identify
from quarterdeck.inventory import queries

router = Router()


class ProcessState(Schema):
    """A process serves ("ready"), or the reason why not."""

    status: str
    reason: str = ""


class Counts(Schema):
    """How many items one may see, retired and trashed ones left out."""

    total: int
    by_type: dict[str, int]
    by_state: dict[str, int]
    by_lifecycle: dict[str, int]


class StatusRow(Schema):
    version: str
    status: str
    processes: dict[str, ProcessState]
    items: Counts


class Me(TypedDict):
    """The caller: a person or a token, and the verbs it has on anything at all."""

    kind: str
    name: str
    verbs: list[str]


@router.get("/status", response=StatusRow)
def read(request: HttpRequest) -> dict[str, Any]:
    """Tell the version, whether each process serves, and how many items there are."""
    counts = queries.counts(identify(request))
    # The probes belong to the layer above; they are asked at their address, as any monitor does.
    ready = orjson.loads(resolve("/readyz").func(request).content)
    return {
        "version": version("quarterdeck"),
        **ready,
        "items": counts,
    }


@router.get("/me", response=Me)
def me(request: HttpRequest) -> Me:
    """Tell who the caller is and what it may do."""
    actor = identify(request)
    return {"kind": actor.kind.value, "name": actor.name, "verbs": sorted(verb for verb in verbs() if may(actor, verb))}
