"""What nothing uses any more: counted in a dry run, removed otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.remote.docker.engine import Engine

KINDS = ("containers", "images", "networks", "volumes")
_SECONDS = 600.0
_BUILT_IN = ("bridge", "host", "none")


@dataclass(frozen=True, slots=True)
class Pruned:
    """`names` went, or in a dry run would go; `size_bytes` is what that frees, of shared layers at least."""

    kind: str
    names: list[str]
    size_bytes: int


async def prune(engine: Engine, kind: str, *, with_tagged: bool = False, is_dry_run: bool = False) -> Pruned:
    """Remove stopped containers, images that no container uses (untagged ones, or all), networks, or volumes.

    Named volumes are data of somebody's and stay where the engine tells them apart (from version 23 on).
    """
    if kind not in KINDS:
        raise BadInput(_('"%(kind)s" cannot be pruned') % {"kind": kind[:60]}, hint=", ".join(KINDS), field="kind")
    if is_dry_run:
        return await _would(engine, kind, with_tagged=with_tagged)
    filters = {"dangling": ["false" if with_tagged else "true"]} if kind == "images" else {}
    answer = await engine.call("POST", f"/{kind}/prune", query={"filters": filters}, seconds=_SECONDS)
    return Pruned(kind, sorted(_gone(kind, answer)), answer.get("SpaceReclaimed", 0))


def _gone(kind: str, answer: Mapping[str, Any]) -> list[str]:
    key = {"containers": "Containers", "networks": "Networks", "volumes": "Volumes"}.get(kind, "Images")
    deleted = [f"{kind}Deleted" for kind in (key, f"{key}s")]
    rows: list[Any] = next((answer[name] for name in deleted if answer.get(name)), [])
    return [row if isinstance(row, str) else str(next(iter(row.values()))) for row in rows]


async def _would(engine: Engine, kind: str, *, with_tagged: bool) -> Pruned:
    if kind == "networks":
        found = await engine.call("GET", "/networks")
        used = await _used_networks(engine)
        names = [row["Name"] for row in found if row["Name"] not in _BUILT_IN and row["Id"] not in used]
        return Pruned(kind, sorted(names), 0)
    usage = await engine.call("GET", "/system/df", seconds=_SECONDS)
    return _COUNTS[kind](usage, with_tagged)


async def _used_networks(engine: Engine) -> set[str]:
    found = await engine.call("GET", "/containers/json", query={"all": True})
    networks = [one for row in found for one in ((row.get("NetworkSettings") or {}).get("Networks") or {}).values()]
    return {one["NetworkID"] for one in networks if one.get("NetworkID")}


def _containers(usage: Mapping[str, Any], _with_tagged: bool) -> Pruned:
    idle = [row for row in usage["Containers"] or [] if row["State"] not in ("running", "paused", "restarting")]
    return Pruned("containers", sorted(row["Id"] for row in idle), sum(row.get("SizeRw", 0) for row in idle))


def _images(usage: Mapping[str, Any], with_tagged: bool) -> Pruned:
    idle = [
        row
        for row in usage["Images"] or []
        if not row["Containers"] and (with_tagged or not [tag for tag in row["RepoTags"] or [] if "<none>" not in tag])
    ]
    size = sum(max(0, row["Size"] - max(0, row.get("SharedSize", 0))) for row in idle)
    return Pruned("images", sorted(row["Id"] for row in idle), size)


def _volumes(usage: Mapping[str, Any], _with_tagged: bool) -> Pruned:
    idle = [row for row in usage["Volumes"] or [] if (row.get("UsageData") or {}).get("RefCount") == 0]
    size = sum(max(0, row["UsageData"]["Size"]) for row in idle)
    return Pruned("volumes", sorted(row["Name"] for row in idle), size)


_COUNTS: Mapping[str, Callable[[Mapping[str, Any], bool], Pruned]] = {
    "containers": _containers,
    "images": _images,
    "volumes": _volumes,
}
