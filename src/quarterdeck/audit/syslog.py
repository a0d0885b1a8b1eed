"""Forwarding to a syslog receiver: RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

import orjson

from quarterdeck.audit.models import AuditEvent, Forwarding
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Unavailable

BATCH = 500
CONNECT_SECONDS = 10
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
_FACILITY_AUDIT = 13
_SEVERITY = {"ok": 5, "denied": 4, "error": 4}


def forward(receiver: str) -> int:
    """Send what `receiver` ("tls://host:port") has not got yet; return how many.

    Each batch has a connection of its own, and the cursor moves when the receiver has read it to the end. Raises
    Unavailable when it cannot be reached; nothing is lost, the next call goes on from there. A crash before the cursor
    moves sends a batch twice: a receiver tells by the sequence number.
    """
    cursor, _created = Forwarding.objects.get_or_create(receiver=receiver)
    sent = 0
    while events := list(AuditEvent.objects.filter(seq__gt=cursor.seq).order_by("seq")[:BATCH]):
        try:
            _send(urlsplit(receiver), [message(event) for event in events])
        except OSError as error:
            Forwarding.objects.filter(pk=cursor.pk).update(last_error=str(error))
            raise Unavailable(
                f"{receiver} cannot be reached: {error}", hint="check audit_syslog_url and the receiver"
            ) from error
        cursor.seq, cursor.sent_at, cursor.last_error = events[-1].seq, now(), ""
        cursor.save()
        sent += len(events)
    return sent


def sent_until(receiver: str) -> int:
    """Return the number of the last event that `receiver` has got; 0 for none."""
    return Forwarding.objects.filter(receiver=receiver).values_list("seq", flat=True).first() or 0


def message(event: AuditEvent) -> bytes:
    """Return the RFC 5424 message of an event: structured data for filters, the whole event as JSON."""
    priority = _FACILITY_AUDIT * 8 + _SEVERITY[event.result]
    stamp = datetime.fromtimestamp(event.at_us / 1_000_000, UTC).isoformat(timespec="microseconds")
    names = ("seq", "verb", "result", "actor_name", "object_kind", "object_id", "request_id")
    data = "".join(f' {name}="{_escaped(str(getattr(event, name)))}"' for name in names)
    columns = (field.attname for field in AuditEvent._meta.concrete_fields)
    body = orjson.dumps({name: getattr(event, name) for name in columns}).decode()
    host = socket.gethostname() or "-"
    # 32473 is the enterprise number that RFC 5612 sets aside for examples: we have none of our own.
    return f"<{priority}>1 {stamp} {host} quarterdeck - audit [audit@32473{data}] {body}".encode()


def _escaped(text: str) -> str:
    """Escape a parameter value, RFC 5424 section 6.3.3."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _send(url: SplitResult, lines: Sequence[bytes]) -> None:
    """Send the messages and wait until the receiver has read them. Raises OSError."""
    address = (url.hostname or "", url.port or _PORTS[url.scheme])
    if url.scheme == "udp":
        with socket.socket(socket.getaddrinfo(*address)[0][0], socket.SOCK_DGRAM) as datagrams:
            datagrams.connect(address)
            for line in lines:
                datagrams.send(line)
        return
    counted = b"".join(b"%d %s" % (len(line), line) for line in lines)
    with socket.create_connection(address, timeout=CONNECT_SECONDS) as stream:
        if url.scheme == "tcp":
            stream.sendall(counted)
            stream.shutdown(socket.SHUT_WR)
            _wait_for_end(stream)
            return
        with ssl.create_default_context().wrap_socket(stream, server_hostname=url.hostname) as secured:
            secured.sendall(counted)
            _say_goodbye(secured)


def _wait_for_end(stream: socket.socket) -> None:
    """Wait until the other side closes, which it does when it has read everything; one that breaks off raises OSError.

    Closing at once would reset the connection when the receiver has sent us something, and what it had not read yet
    would be lost. One that never closes has had its time to read.
    """
    with suppress(TimeoutError):
        while stream.recv(4096):
            pass


def _say_goodbye(secured: ssl.SSLSocket) -> None:
    """End the TLS session in both directions. A receiver may close without its own goodbye, having read ours."""
    with suppress(ssl.SSLEOFError, ssl.SSLSyscallError, TimeoutError):
        secured.unwrap()
