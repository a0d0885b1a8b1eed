"""Loki's live tail: `GET /loki/api/v1/tail` as a WebSocket, as `logcli query --tail` and Grafana's Explore ask for it.

See https://grafana.com/docs/loki/latest/reference/loki-http-api/#stream-logs
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

import orjson
from django.http import HttpRequest
from django.utils.translation import gettext as _

from quarterdeck.access.actors import WITH_BASIC
from quarterdeck.api.loki import asked
from quarterdeck.api.loki.backlog import Backlog, message
from quarterdeck.api.prometheus.parameters import text
from quarterdeck.api.sockets import Socket, route
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.core.streams import in_thread
from quarterdeck.logs.logql.answering import LINES_MAX
from quarterdeck.logs.logql.tailing import Entry, newest, tail
from quarterdeck.logs.tailing import Tail, news_of

DELAY_MAX_SECONDS = 5


@dataclass(frozen=True, slots=True)
class _Asked:
    query: str
    start_ns: int
    limit: int
    delay_seconds: int


def _asked(request: HttpRequest) -> _Asked:
    until = round(now().timestamp() * asked.NS)
    limit = asked.limit(request)
    if limit > LINES_MAX:
        raise BadInput(_("at most %(max)d lines are sent of what is there") % {"max": LINES_MAX}, field="limit")
    return _Asked(
        text(request, "query"), asked.moment_ns(request, "start", until - asked.HOUR_NS), limit, _delay(request)
    )


def _delay(request: HttpRequest) -> int:
    given = text(request, "delay_for", "0")
    if not re.fullmatch(r"\d{1,4}", given) or int(given) > DELAY_MAX_SECONDS:
        raise BadInput(_("delay_for is a number of seconds, at most %(max)d") % {"max": DELAY_MAX_SECONDS})
    return int(given)


def _begin(actor: Actor, wanted: _Asked) -> tuple[Tail[Entry], list[Entry]]:
    """Return the tail and what is there already. What comes in between the two is in the second only."""
    follower = tail(actor, wanted.query)
    there = newest(actor, wanted.query, wanted.start_ns - 1, round(now().timestamp() * asked.NS), limit=wanted.limit)
    follower.remember(there)
    return follower, there


async def follow(socket: Socket) -> None:
    try:
        actor = await socket.identify(WITH_BASIC)
        wanted = _asked(socket.request)
        follower, there = await in_thread(_begin, actor, wanted)
    except OpsError as error:
        await socket.answer(asked.failure(error))
        return
    await socket.accept()
    backlog = Backlog()
    backlog.put(there)
    await socket.while_open(_gather(follower, backlog), _send(socket, backlog, wanted.delay_seconds))


async def _gather(follower: Tail[Entry], backlog: Backlog) -> None:
    async for entries in news_of(follower):
        backlog.put(entries)


async def _send(socket: Socket, backlog: Backlog, delay_seconds: int) -> None:
    while True:
        await backlog.wait()
        # Lines that come late are then sent in their order.
        await asyncio.sleep(delay_seconds)
        await socket.send(orjson.dumps(message(*backlog.take())).decode())


routes = [route("loki/api/v1/tail", follow)]
