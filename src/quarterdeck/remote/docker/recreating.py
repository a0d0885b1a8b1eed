"""The settings of a container for its successor: the same, except for what its image only lent it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of these a container has the image's unless somebody said otherwise; the new image's are meant then.
_LENT = ("Cmd", "Entrypoint", "WorkingDir", "User", "Healthcheck", "StopSignal", "Shell", "OnBuild", "ExposedPorts")
_LENT_PARTS = ("Env", "Labels", "Volumes")
# Of the old container itself.
_OWN = ("Image", "Hostname", "Domainname")


def body_like(old: Mapping[str, Any], old_image: Mapping[str, Any], image: str) -> dict[str, Any]:
    """Return the body that makes a container of `image` like `old` (both as inspected)."""
    config, lent = old["Config"], old_image.get("Config") or {}
    body = {name: value for name, value in config.items() if name not in _OWN and value is not None}
    for name in _LENT:
        if name in body and body[name] == lent.get(name):
            del body[name]
    for name in _LENT_PARTS:
        if name in body:
            body[name] = _without(body[name], lent.get(name))
    if "Cmd" not in body and "Entrypoint" in body and config.get("Cmd"):
        # An entry point of its own takes the image's command away.
        body["Cmd"] = config["Cmd"]
    if config.get("Hostname") and not old["Id"].startswith(config["Hostname"]):
        body["Hostname"] = config["Hostname"]
        body["Domainname"] = config.get("Domainname", "")
    host = dict(old["HostConfig"])
    host["Binds"] = _binds(old)
    network = _first_network(old)
    return {
        **body,
        "Image": image,
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": {network: endpoint(old, network)} if network else {}},
    }


def _without(value: Any, lent: Any) -> Any:
    if isinstance(value, list):
        return [one for one in value if one not in (lent or [])]
    return {key: one for key, one in value.items() if (lent or {}).get(key, ...) != one}


def _binds(old: Mapping[str, Any]) -> list[str]:
    """Return the mounts, with the volumes that have no name of somebody's: their data goes to the successor."""
    binds = list(old["HostConfig"].get("Binds") or [])
    mounted = {bind.split(":")[1] for bind in binds}
    mounted |= {mount["Target"] for mount in old["HostConfig"].get("Mounts") or []}
    volumes = [mount for mount in old.get("Mounts") or [] if mount["Type"] == "volume"]
    return binds + [f"{one['Name']}:{one['Destination']}" for one in volumes if one["Destination"] not in mounted]


def _networks(old: Mapping[str, Any]) -> list[str]:
    mode = str(old["HostConfig"].get("NetworkMode", ""))
    if mode in ("host", "none") or mode.startswith("container:"):
        return []
    return list((old["NetworkSettings"].get("Networks") or {}).keys())


def _first_network(old: Mapping[str, Any]) -> str:
    """Return the network that a container is made on; older engines take one."""
    found = _networks(old)
    mode = str(old["HostConfig"].get("NetworkMode", ""))
    return mode if mode in found else (found[0] if found else "")


def more_networks(old: Mapping[str, Any]) -> list[str]:
    return [name for name in _networks(old) if name != _first_network(old)]


def endpoint(old: Mapping[str, Any], network: str) -> dict[str, Any]:
    """Return how `old` is on a network: its fixed address and its further names, none of which is its id."""
    found = old["NetworkSettings"]["Networks"][network]
    aliases = [name for name in found.get("Aliases") or [] if not old["Id"].startswith(name)]
    return {"IPAMConfig": found.get("IPAMConfig"), "Links": found.get("Links"), "Aliases": aliases or None}
