"""Dead letters as people see them: what the engine could not read, why, and what to do with it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadInput, NotFound
from quarterdeck.telemetry.intake_door import ask
from quarterdeck.telemetry.models import IntakeKey
from quarterdeck.telemetry.redaction_rules import redact

# A person looks at the beginning; the secrets in it are looked for in more than is shown.
_SHOWN_CHARACTERS = 4000
_LINE_BYTES = 16


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`reason` is what the engine said of it; `records` how many samples, lines or spans are in it."""

    name: str
    protocol: str
    stream: str
    key: str
    received_at: datetime
    records: int
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Content:
    """The beginning of a letter, secrets replaced: `text`, for binary ones as a hex dump. `is_cut`: there is more."""

    letter: DeadLetter
    text: str
    is_binary: bool
    is_cut: bool


def dead_letters(actor: Actor) -> list[DeadLetter]:
    """Return all dead letters, the newest first. Raises Denied, Unavailable."""
    require(actor, "telemetry.intake")
    rows = ask("GET", "/intake/dead")["letters"]
    names = dict(IntakeKey.objects.values_list("pk", "name"))
    found = [_letter(row, names) for row in rows]
    # The engine quotes what it could not read.
    reasons = redact([letter.reason for letter in found])
    return [replace(letter, reason=text) for letter, (text, _hits) in zip(found, reasons, strict=True)]


def _letter(row: dict[str, Any], names: dict[int, str]) -> DeadLetter:
    key = int(row["key"])
    return DeadLetter(
        name=str(row["name"]),
        protocol=str(row["protocol"]),
        stream=str(row["stream"]),
        key=names.get(key, str(key) if key else ""),
        received_at=datetime.fromtimestamp(row["received_ms"] / 1000, UTC),
        records=int(row["records"]),
        bytes=int(row["bytes"]),
        reason=str(row["reason"]),
    )


@action("telemetry.dead", atomic=False)
def show_letter(actor: Actor, name: str) -> Content:
    """Return the beginning of a letter, secrets replaced; that it was read is audited. Raises NotFound, Unavailable."""
    row = ask("GET", "/intake/dead/letter", params={"name": name})
    letter = _letter(row, dict(IntakeKey.objects.values_list("pk", "name")))
    raw = base64.b64decode(row["content"])
    text, is_binary = _decoded(raw)
    (shown, _hits), (reason, _more) = redact([text, letter.reason])
    shown = hex_dump(shown.encode("latin-1", "replace")) if is_binary else shown
    is_cut = letter.bytes > len(raw) or len(shown) > _SHOWN_CHARACTERS
    record(actor, "telemetry.show_dead", _object(letter))
    return Content(replace(letter, reason=reason), shown[:_SHOWN_CHARACTERS], is_binary, is_cut)


def _decoded(raw: bytes) -> tuple[str, bool]:
    """Return the bytes as text, and whether they are none: then each byte stands for the character of its number."""
    try:
        # The end may have been cut within a character.
        text = raw.decode("utf-8") if len(raw) < 8 else raw[:-3].decode("utf-8") + raw[-3:].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return raw.decode("latin-1"), True
    printable = sum(char.isprintable() or char in "\n\r\t" for char in text)
    return (text, False) if printable == len(text) else (raw.decode("latin-1"), True)


def hex_dump(content: bytes) -> str:
    """Return lines of 16 bytes: offset, hex digits, the printable ones as text."""
    lines = []
    for start in range(0, len(content), _LINE_BYTES):
        part = content[start : start + _LINE_BYTES]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(f"{start:06x}  {part.hex(' '):<47}  {text}")
    return "\n".join(lines)


@action("telemetry.dead", atomic=False)
def retry_letters(actor: Actor, names: Sequence[str]) -> int:
    """Put letters back on the road to the engine; return how many. Those that it refuses again come back here.

    Raises NotFound when there is none of them, Conflict when nothing reads them any more, Unavailable.
    """
    return _each(actor, "retry", "telemetry.retry_dead", names)


@action("telemetry.dead", atomic=False)
def delete_letters(actor: Actor, names: Sequence[str]) -> int:
    """Delete letters for good; return how many. Raises NotFound when there is none of them, Unavailable."""
    return _each(actor, "delete", "telemetry.delete_dead", names)


def _each(actor: Actor, what: str, verb: str, names: Sequence[str]) -> int:
    if not names:
        raise BadInput(_("no dead letter is named"), field="names")
    done = ask("POST", f"/intake/dead/{what}", body={"names": list(names)})["done"]
    if not done:
        raise NotFound(_("there is no such dead letter"))
    record(actor, verb, None, ", ".join(done)[:2000], after={"count": len(done)})
    return len(done)


def _object(letter: DeadLetter) -> tuple[str, str, str]:
    return "dead letter", letter.name, f"{letter.protocol} {letter.stream}"
