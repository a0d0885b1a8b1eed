"""Images: listed, pulled with their progress, tagged, removed."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.remote.docker import rows
from quarterdeck.remote.docker.engine import Engine, lines

_PULL_SECONDS = 300.0
# As loose as it may be without leading out of the path that it is put into.
_REFERENCE = re.compile(r"[\w:-]{1,200}(?:[./@][\w:-]{1,200}){0,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a pull: `layer` is "" for what is about the image; the bytes are 0 where they are not known."""

    layer: str
    status: str
    done_bytes: int = 0
    total_bytes: int = 0


def authorization(user: str, password: str, server: str = "") -> str:
    """Return what a registry wants to see, for `pull`. It is a secret."""
    words = {"username": user, "password": password, "serveraddress": server}
    return base64.urlsafe_b64encode(json.dumps(words).encode()).decode()


def split(reference: str) -> tuple[str, str]:
    """Return `registry:5000/a/b` and the tag, "latest" when there is none, or the digest. Raises BadInput."""
    if not _REFERENCE.fullmatch(reference):
        raise BadInput(_("an image is needed"), hint="alpine:3, registry.example:5000/app@sha256:...", field="image")
    name, at, digest = reference.partition("@")
    if at:
        return name, digest
    name, colon, tag = reference.rpartition(":")
    return (name, tag) if colon and "/" not in tag else (reference, "latest")


async def images(engine: Engine, *, with_untagged: bool = True) -> list[rows.Image]:
    """Return the images, not those that are only parts of others."""
    found = [rows.image(row) for row in await engine.call("GET", "/images/json")]
    return [image for image in found if image.tags or with_untagged]


async def inspect(engine: Engine, reference: str) -> dict[str, Any]:
    """Return everything about an image. Raises NotFound."""
    split(reference)
    found: dict[str, Any] = await engine.call("GET", f"/images/{_path(reference)}/json")
    return found


def _path(reference: str) -> str:
    return quote(reference, safe="/:@")


async def pull(engine: Engine, reference: str, authorized: str = "") -> AsyncGenerator[Progress, None]:
    """Fetch an image and yield the steps. Raises EngineFailed, NotFound, Denied. Use with `aclosing`."""
    name, tag = split(reference)
    headers = {"X-Registry-Auth": authorized} if authorized else {}
    query = {"fromImage": name, "tag": tag}
    async with (
        engine.stream("POST", "/images/create", query=query, headers=headers, seconds=_PULL_SECONDS) as response,
        aclosing(lines(engine.place, response)) as steps,
    ):
        async for step in steps:
            detail = step.get("progressDetail") or {}
            yield Progress(
                step.get("id", ""), step.get("status", ""), detail.get("current", 0) or 0, detail.get("total", 0) or 0
            )


async def tag(engine: Engine, reference: str, new: str) -> None:
    name, word = split(new)
    await engine.call("POST", f"/images/{_path(reference)}/tag", query={"repo": name, "tag": word})


async def remove(engine: Engine, reference: str, *, by_force: bool = False) -> list[str]:
    """Remove a tag, and with the last one the image; return what went. Raises Conflict while a container uses it."""
    split(reference)
    gone = await engine.call("DELETE", f"/images/{_path(reference)}", query={"force": by_force})
    return [next(iter(one.values())) for one in gone]
