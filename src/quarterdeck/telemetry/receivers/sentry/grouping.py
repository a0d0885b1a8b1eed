"""Which events are the same error: a hash of what happened where, without what differs from time to time.

The exceptions of the chain by type and by the functions of the application that they went through, without line numbers;
where there are none, the message without its numbers and ids. A fingerprint of the client's goes first.

Version 2: events of minified programs that can have a source map are told apart by build and position as well, for their
functions have names of one letter. What is the same error in the source becomes one issue later, see `errors.builds`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quarterdeck.telemetry.receivers.sentry.values import mapping, objects, text

VERSION = 2
_FRAMES_MAX = 100
_DEFAULT = re.compile(r"\{\{\s*default\s*\}\}")
# Ids, addresses, times and numbers, the longest first.
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|0x[0-9a-fA-F]+|\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b|\d+"
)
_QUERY = re.compile(r"[?#].*")


def masked(value: str) -> str:
    """Return a text without what differs between two cases of the same: "user 17 not found" is "user # not found"."""
    return _VARIABLE.sub("#", value)


def _digest(parts: Iterable[str]) -> int:
    whole = "\0".join(part.replace("\0", "") for part in parts)
    return int.from_bytes(hashlib.blake2b(whole.encode(), digest_size=8).digest(), "big")


def frames_of(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the frames of an exception's (or event's) stack, the innermost last."""
    return objects(mapping(holder.get("stacktrace")).get("frames"))


def in_app(frames: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return the frames of the application itself; all where none is marked as such."""
    return [frame for frame in frames if frame.get("in_app") is True] or frames


def _frame(frame: Mapping[str, Any]) -> str:
    where = text(frame.get("module")) or _QUERY.sub("", text(frame.get("filename") or frame.get("abs_path")))
    return f"{masked(where)}:{masked(text(frame.get('function')))}"


def _stack(holder: Mapping[str, Any]) -> list[str]:
    """Return the places of a stack; a place that calls itself counts once."""
    found: list[str] = []
    for frame in in_app(frames_of(holder))[-_FRAMES_MAX:]:
        place = _frame(frame)
        if place != ":" and found[-1:] != [place]:
            found.append(place)
    return found


def _exception(exception: Mapping[str, Any]) -> list[str]:
    is_made_up = mapping(exception.get("mechanism")).get("synthetic") is True
    kind = "" if is_made_up else text(exception.get("type"))
    stack = _stack(exception)
    return [kind, *(stack or [masked(text(exception.get("value"), 2000))])]


def programs_of(event: Mapping[str, Any]) -> dict[str, str]:
    """Return `{address of a program: its debug id}` of those that can have a source map."""
    images = objects(mapping(event.get("debug_meta")).get("images"))[:1000]
    found = {
        text(one.get("code_file"), 1000): text(one.get("debug_id"), 40)
        for one in images
        if one.get("type") == "sourcemap"
    }
    return {address: debug_id for address, debug_id in found.items() if address and debug_id}


def positions(event: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return where in which build the application's frames are, [] for programs without debug ids."""
    programs = programs_of(event)
    if not programs:
        return []
    frames = [frame for one in exceptions for frame in in_app(frames_of(one))[-_FRAMES_MAX:]]
    found = []
    for frame in frames:
        address = text(frame.get("abs_path") or frame.get("filename"), 1000)
        if address in programs:
            found.append(f"{programs[address]}:{text(frame.get('lineno'))}:{text(frame.get('colno'))}")
    return found


def default_parts(event: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]], message: str) -> list[str]:
    """Return what the hash of an event without a fingerprint is made of; the first says of which kind it is."""
    if exceptions:
        return ["exception", *(part for one in exceptions for part in _exception(one))]
    threads = [one for one in objects(event.get("threads")) if one.get("crashed") is True]
    stack = [part for holder in (event, *threads[:1]) for part in _stack(holder)]
    return ["stack", *stack] if stack else ["message", masked(message)]


def is_default(fingerprint: Sequence[str]) -> bool:
    """Whether a fingerprint says nothing beyond what we would have taken."""
    return all(_DEFAULT.fullmatch(part) for part in fingerprint)


def default_hash(event: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]], message: str) -> int:
    """Return the hash of an event without a fingerprint, whatever its build."""
    return _digest(default_parts(event, exceptions, message))


def grouping_hash(
    event: Mapping[str, Any], exceptions: Sequence[Mapping[str, Any]], message: str, fingerprint: Sequence[str]
) -> int:
    """Return the event's hash of 64 bits. `{{ default }}` in a fingerprint stands for what we would have taken."""
    default = default_hash(event, exceptions, message)
    if not is_default(fingerprint):
        return _digest(["fingerprint", *(_DEFAULT.sub(f"{default:x}", part) for part in fingerprint)])
    places = positions(event, exceptions)
    return _digest(["build", f"{default:x}", *places]) if places else default
