"""Pull and recreate: a container gets its image's newest, or another image, with the same settings.

The old one is renamed and stopped, and stays until the new one runs, and is healthy where it has a check. When that
does not come in time, or the caller leaves, the new one goes and the old one is back under its name.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.core.errors import Conflict, NotFound, OpsError
from quarterdeck.remote.docker import containers, images
from quarterdeck.remote.docker.engine import Engine, segment
from quarterdeck.remote.docker.images import Progress
from quarterdeck.remote.docker.recreating import body_like, endpoint, more_networks
from quarterdeck.remote.errors import EngineFailed, Phase

_POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Replaced:
    """How it ended. `reason` says why the former one is back; both ids are the same when nothing was to be done."""

    old_id: str
    new_id: str
    image_id: str
    is_changed: bool = False
    is_rolled_back: bool = False
    reason: str = ""


async def replace(
    engine: Engine,
    name: str,
    *,
    image: str = "",
    pulls: bool = True,
    authorized: str = "",
    is_forced: bool = False,
    settle_seconds: float = 5,
    healthy_seconds: float = 120,
) -> AsyncGenerator[Progress | Replaced, None]:
    """Replace a container by one of `image` ("" is what it was made of). Yields the pull's steps, then `Replaced`.

    Without a health check the new one has to run for `settle_seconds` without a restart; with one it has
    `healthy_seconds` to become healthy. Where the image is the same nothing is done, unless forced.
    Use with `aclosing`.
    """
    old = await containers.inspect(engine, name)
    if old["HostConfig"].get("AutoRemove"):
        raise Conflict(
            _("%(name)s is removed when it stops, and could not come back") % {"name": name},
            hint=_("run it without --rm"),
        )
    reference = image or old["Config"]["Image"]
    if pulls:
        async with aclosing(images.pull(engine, reference, authorized)) as steps:
            async for step in steps:
                yield step
    new_image = await images.inspect(engine, reference)
    if new_image["Id"] == old["Image"] and not is_forced:
        yield Replaced(old["Id"], old["Id"], old["Image"])
        return
    body = body_like(old, await _image_of(engine, old), reference)
    work = _Replacing(engine, old, body, settle_seconds, healthy_seconds)
    yield await work.done(new_image["Id"])


async def _image_of(engine: Engine, old: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return await images.inspect(engine, old["Image"])
    except NotFound:
        # Removed by force: then nothing of its settings is known to be the image's.
        return {}


@dataclass(slots=True)
class _Replacing:
    engine: Engine
    old: Mapping[str, Any]
    body: Mapping[str, Any]
    settle_seconds: float
    healthy_seconds: float
    _new_id: str = ""

    async def done(self, image_id: str) -> Replaced:
        name, old_id = self.old["Name"].removeprefix("/"), self.old["Id"]
        await containers.rename(self.engine, old_id, f"{name}.former-{secrets.token_hex(4)}")
        try:
            await self._change_over(name)
            await self._proves_itself()
        except OpsError as error:
            await self._return_to(name)
            return Replaced(old_id, old_id, self.old["Image"], is_rolled_back=True, reason=error.message)
        except BaseException:
            await asyncio.shield(asyncio.create_task(self._return_to(name)))
            raise
        # Its volumes are the new one's.
        await containers.remove(self.engine, old_id, by_force=True)
        return Replaced(old_id, self._new_id, image_id, is_changed=True)

    async def _change_over(self, name: str) -> None:
        if self.old["State"]["Running"]:
            grace = self.old["Config"].get("StopTimeout") or 10
            await containers.stop(self.engine, self.old["Id"], grace_seconds=grace)
        made = await self.engine.call("POST", "/containers/create", query={"name": name}, body=self.body)
        self._new_id = made["Id"]
        for network in more_networks(self.old):
            body = {"Container": self._new_id, "EndpointConfig": endpoint(self.old, network)}
            await self.engine.call("POST", f"/networks/{segment(network)}/connect", body=body)
        if self.old["State"]["Running"]:
            await containers.start(self.engine, self._new_id)

    async def _proves_itself(self) -> None:
        """Wait until the new one runs, and is healthy, unless the old one did not run. Raises EngineFailed."""
        if not self.old["State"]["Running"]:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            found = await containers.inspect(self.engine, self._new_id)
            state = found["State"]
            health = (state.get("Health") or {}).get("Status", "none")
            if not state["Running"] or found["RestartCount"]:
                raise _unproven(_("it ended with %(code)s") % {"code": state["ExitCode"]})
            if health == "unhealthy":
                raise _unproven(_("its health check fails"))
            passed = loop.time() - began
            if health == "healthy" or (health == "none" and passed >= self.settle_seconds):
                return
            if passed > self.healthy_seconds:
                raise _unproven(_("it is not healthy after %(seconds)d s") % {"seconds": passed})
            await asyncio.sleep(_POLL_SECONDS)

    async def _return_to(self, name: str) -> None:
        """Bring the former one back. Raises EngineFailed when that does not succeed: somebody has to look."""
        if self._new_id:
            with suppress(NotFound):
                await containers.remove(self.engine, self._new_id, by_force=True)
        else:
            await self._remove_named(name)
        try:
            await containers.rename(self.engine, self.old["Id"], name)
            if self.old["State"]["Running"]:
                await containers.start(self.engine, self.old["Id"])
        except OpsError as error:
            raise EngineFailed(
                _("the former container %(name)s does not come back: %(reason)s")
                % {"name": self.old["Id"][:12], "reason": error.message},
                hint=_("rename and start it on the host"),
                phase=Phase.RUN,
            ) from error

    async def _remove_named(self, name: str) -> None:
        """Remove one that was made without our hearing of it: who was cancelled may have missed the answer."""
        with suppress(NotFound):
            found = await containers.inspect(self.engine, name)
            if found["Id"] != self.old["Id"]:
                await containers.remove(self.engine, found["Id"], by_force=True)


def _unproven(reason: str) -> EngineFailed:
    return EngineFailed(_("the new container does not prove itself: %(reason)s") % {"reason": reason}, phase=Phase.RUN)
