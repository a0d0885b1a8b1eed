"""From one syslog message to a row: RFC 5424, RFC 3164 and what real devices send instead.

See https://www.rfc-editor.org/rfc/rfc5424 and https://www.rfc-editor.org/rfc/rfc3164
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from quarterdeck.telemetry.canonical import LogRow, Sender
from quarterdeck.telemetry.receivers.syslog.times import BSD, MONTH, bsd, iso, nanoseconds

_FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
# What RFC 3164, 4.3.3 says for messages without a priority: user.notice.
_PRIORITY_DEFAULT = 13
_PRIORITY = re.compile(r"<(\d{1,3})>")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*")
# Cisco's counter and host name, and the star that says "my clock was never set", stand before the time.
_CISCO = re.compile(rf"(?:\d+: )?(?:(?P<host>[A-Za-z][\w.-]*): )?(?:\d+: )?[*.]?(?={MONTH} +\d)")
_MNEMONIC = re.compile(r"%([A-Z][A-Z0-9_]*(?:-[A-Z0-9_]+)*-[0-7]-[A-Z0-9_]+): ?")
_TAG = re.compile(r"([^\s:\[\]]{1,256})(?:\[([^\]\s]{0,64})\])?: ?")
_TAG_WITH_PID = re.compile(r"([^\s:\[\]]{1,256})\[([^\]\s]{1,64})\]: ?")
_ELEMENT = re.compile(r'\[([^\s=\]"]{1,256})((?: +[^\s=\]"]{1,256}="(?:[^"\\\]]|\\.)*")*) *\]', re.DOTALL)
_PARAMETER = re.compile(r'([^\s=\]"]+)="((?:[^"\\\]]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\\]])')
# Docker's tag when it holds the id: "0123456789ab", "name/0123456789ab", or with all 64 digits.
_CONTAINER = re.compile(r"(?:(?:[^/]*/)*?([^/]+)/)?([0-9a-f]{12}|[0-9a-f]{64})\Z")


def row_of(message: bytes, address: str, now: datetime) -> LogRow | None:
    """Return the row of one message, None for an empty one. `address` stands in where it names no host."""
    text = message.decode(errors="replace").rstrip("\0\r\n")
    priority, rest = _priority(text)
    if not rest.strip():
        return None
    if rest.startswith("1 "):
        return _rfc5424(rest[2:], priority, address, now)
    return _rfc3164(rest, priority, address, now)


def _priority(text: str) -> tuple[int, str]:
    match = _PRIORITY.match(text)
    if match is None or int(match[1]) > 191:
        return _PRIORITY_DEFAULT, text
    return int(match[1]), text[match.end() :]


def _given(part: str) -> str:
    """ "-" says that there is nothing."""
    return "" if part == "-" else part


def _rfc5424(text: str, priority: int, address: str, now: datetime) -> LogRow:
    parts = text.split(" ", 5)
    stamp, host, app, process, message_id, rest = (*parts, *("-",) * (6 - len(parts)))
    attributes, message = _structured(rest)
    if _given(message_id):
        attributes["syslog.msgid"] = message_id
    return _row(
        iso(stamp) if stamp != "-" else None,
        message.removeprefix("\ufeff"),
        (priority, _given(host), _given(app), _given(process)),
        attributes,
        address,
        now,
    )


def _structured(text: str) -> tuple[dict[str, str], str]:
    """Return `{"id.name": value}` of the structured data, and what follows it."""
    found: dict[str, str] = {}
    if text.startswith("-"):
        return found, text[1:].removeprefix(" ")
    at = 0
    while match := _ELEMENT.match(text, at):
        for name, value in _PARAMETER.findall(match[2]):
            found[f"{match[1]}.{name}"] = _ESCAPED.sub(r"\1", value)
        at = match.end()
    return found, text[at:].removeprefix(" ")


def _rfc3164(text: str, priority: int, address: str, now: datetime) -> LogRow:
    host, ts, rest = _header(text, now)
    attributes: dict[str, str] = {}
    mnemonic = _MNEMONIC.match(rest)
    if mnemonic:
        attributes["cisco.mnemonic"] = mnemonic[1]
        return _row(ts, rest, (priority, host, "", ""), attributes, address, now, component=mnemonic[1].split("-")[0])
    # Without a time there is no telling a tag from a word before a colon, unless it has a process id.
    tag = (_TAG_WITH_PID if ts is None else _TAG).match(rest)
    if tag:
        return _row(ts, rest[tag.end() :], (priority, host, tag[1], tag[2] or ""), attributes, address, now)
    return _row(ts, rest, (priority, host, "", ""), attributes, address, now)


def _header(text: str, now: datetime) -> tuple[str, int | None, str]:
    """Return host, time in ns (None for none, 0 for one that cannot be) and the rest of what is not RFC 5424's."""
    stamp = _ISO.match(text)
    if stamp and (ts := iso(stamp[0])):
        host, rest = _host(text[stamp.end() :].lstrip(" "))
        return host, ts, rest
    cisco = _CISCO.match(text)
    found = BSD.match(text, cisco.end()) if cisco else None
    if cisco is None or found is None:
        return "", None, text
    rest = text[found.end() :]
    if rest.startswith(":"):
        return cisco["host"] or "", bsd(found, now), rest[1:].lstrip(" ")
    host, rest = _host(rest.lstrip(" "))
    return cisco["host"] or host, bsd(found, now), rest


def _host(text: str) -> tuple[str, str]:
    """Return the host name and what follows; some senders leave it out, so that the tag comes first."""
    word, space, rest = text.partition(" ")
    if not space or word.endswith(":") or "[" in word or word.startswith("%"):
        return "", text
    return word, rest


def _row(
    ts_ns: int | None,
    message: str,
    names: tuple[int, str, str, str],
    attributes: dict[str, str],
    address: str,
    now: datetime,
    component: str = "",
) -> LogRow:
    priority, host, app, process = names
    attributes["syslog.facility"] = _FACILITIES[priority >> 3]
    if process:
        attributes["process.pid"] = process
    service, sender = _sender(host or address, app)
    return LogRow(
        ts_ns=ts_ns or nanoseconds(now),
        message=message,
        service=service,
        host=host or address,
        component=component,
        level=str(priority & 7),
        attributes=attributes,
        resource=sender.identities,
        sender=sender,
    )


@lru_cache(4096)
def _sender(host: str, app: str) -> tuple[str, Sender]:
    """Return service and sender; what identifies the sender is the row's resource. Few of them send many lines."""
    resource = {"host.name": host}
    container = _CONTAINER.match(app)
    service = (container[1] or "") if container else app
    if container:
        resource["container.id"] = container[2]
        if service:
            resource["container.name"] = service
    if service:
        resource["service.name"] = service
    return service, Sender("container", container[2], resource) if container else Sender("host", host, resource)
