"""Networks of an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quarterdeck.remote.docker import rows
from quarterdeck.remote.docker.engine import Engine, segment


async def networks(engine: Engine) -> list[rows.Network]:
    return [rows.network(row) for row in await engine.call("GET", "/networks")]


async def inspect(engine: Engine, name: str) -> rows.Network:
    """Return a network with its containers. Raises NotFound."""
    return rows.network(await engine.call("GET", f"/networks/{segment(name)}"))


async def create(
    engine: Engine,
    name: str,
    *,
    driver: str = "bridge",
    subnet: str = "",
    is_internal: bool = False,
    labels: Mapping[str, str] | None = None,
) -> str:
    """Make a network and return its id. Raises Conflict when the name is taken."""
    segment(name)
    body = {
        "Name": name,
        "Driver": driver,
        "CheckDuplicate": True,
        "Internal": is_internal,
        "Labels": dict(labels or {}),
        "IPAM": {"Config": [{"Subnet": subnet}]} if subnet else {},
    }
    found: str = (await engine.call("POST", "/networks/create", body=body))["Id"]
    return found


async def connect(engine: Engine, name: str, container: str, *, aliases: Sequence[str] = (), address: str = "") -> None:
    settings: dict[str, object] = {"Aliases": list(aliases)}
    if address:
        settings["IPAMConfig"] = {"IPv4Address": address}
    body = {"Container": container, "EndpointConfig": settings}
    await engine.call("POST", f"/networks/{segment(name)}/connect", body=body)


async def disconnect(engine: Engine, name: str, container: str, *, by_force: bool = False) -> None:
    body = {"Container": container, "Force": by_force}
    await engine.call("POST", f"/networks/{segment(name)}/disconnect", body=body)


async def remove(engine: Engine, name: str) -> None:
    """Raises Conflict or Denied while containers are on it, and for the engine's own networks."""
    await engine.call("DELETE", f"/networks/{segment(name)}")
