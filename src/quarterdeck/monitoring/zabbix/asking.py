"""Asking agents for values, many at a time.

Agents up to 6.4 take a bare key and answer with a bare value, or with `ZBX_NOTSUPPORTED`, a zero byte and a reason;
from 7.0 on both are JSON. Which one an agent speaks is remembered for an hour.
See https://www.zabbix.com/documentation/current/en/manual/appendix/items/activepassive#passive-checks
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import orjson

from quarterdeck.telemetry.receivers.zabbix.framing import Decoder, frame
from quarterdeck.telemetry.receiving import Refused

PORT = 10050
_ANSWER_SECONDS = 5.0
# A file's content or a page of the web may be a value.
_ANSWER_MAX_BYTES = 16 << 20
_READ_BYTES = 64 << 10
# An agent has few processes that answer; Debian's has three.
_AT_ONCE = 2
_REMEMBER_SECONDS = 3600.0
_NOT_SUPPORTED = "ZBX_NOTSUPPORTED"

Address = tuple[str, int]


class NotAnswered(Exception):
    """The agent cannot be reached, hangs up, or speaks something else."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an agent says of a key at a time (Unix, seconds): `text`, or `error` where it cannot tell."""

    key: str
    at: float
    text: str = ""
    error: str = ""


# Agents that speak in bare keys, and until when (monotonic) that is believed.
_old: dict[Address, float] = {}


async def ask(address: Address, key: str) -> Value:
    """Return what the agent says of one key. Raises NotAnswered."""
    if _old.get(address, 0.0) > time.monotonic():
        return _bare(key, await _exchange(address, key.encode()))
    request = {"request": "passive checks", "data": [{"key": key, "timeout": 3}]}
    answer = await _exchange(address, orjson.dumps(request))
    try:
        [one] = orjson.loads(answer)["data"]
        return Value(key, time.time(), _text(one.get("value")), _text(one.get("error")))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
        # The request was taken for a key, which no old agent knows.
        _old[address] = time.monotonic() + _REMEMBER_SECONDS
        return _bare(key, await _exchange(address, key.encode()))


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)


def _bare(key: str, answer: bytes) -> Value:
    text = answer.decode(errors="replace")
    if text.startswith(_NOT_SUPPORTED):
        return Value(key, time.time(), error=text.removeprefix(_NOT_SUPPORTED).strip("\0") or "not supported")
    return Value(key, time.time(), text)


async def _exchange(address: Address, request: bytes) -> bytes:
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(*address)
            try:
                writer.write(frame(request))
                await writer.drain()
                return await _answer(reader)
            finally:
                writer.close()
    except (OSError, TimeoutError, Refused) as error:
        raise NotAnswered(str(error) or "it does not answer in time") from error


async def _answer(reader: asyncio.StreamReader) -> bytes:
    decoder = Decoder(_ANSWER_MAX_BYTES, _ANSWER_MAX_BYTES)
    while data := await reader.read(_READ_BYTES):
        for message in decoder.feed(data):
            return message
    # An agent hangs up like this on those that its `Server` does not name.
    raise NotAnswered("it hangs up; does its Server= name this machine?")


async def ask_for(address: Address, keys: Sequence[str]) -> list[Value]:
    """Return what an agent says of each key; none when it does not answer the first. Raises NotAnswered."""
    if not keys:
        return []
    found = [await ask(address, keys[0])]
    waiting = iter(keys[1:])

    async def take() -> None:
        for key in waiting:
            with suppress(NotAnswered):
                found.append(await ask(address, key))

    await asyncio.gather(*(take() for _ in range(_AT_ONCE)))
    return found
