"""Forwarding to a syslog receiver: RFC 5424 messages over UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

import orjson
from django.db.models import F

from quarterdeck.audit.models import AuditEvent, Forwarding
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Unavailable

BATCH = 500
CONNECT_SECONDS = 10
_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
_FACILITY_AUDIT = 13
_SEVERITY = {"ok": 5, "denied": 4, "error": 4}


def forward(receiver: str) -> int:
    """Send what `receiver` ("tls://host:port") has not got yet; return how many. The cursor moves after each batch.

    Raises Unavailable when it cannot be reached; nothing is lost, the next call goes on from there. A crash between
    sending and moving the cursor sends a batch twice: a receiver tells by the sequence number.
    """
    cursor, _created = Forwarding.objects.get_or_create(receiver=receiver)
    sent = 0
    try:
        with _connection(urlsplit(receiver)) as send:
            while events := list(AuditEvent.objects.filter(seq__gt=cursor.seq).order_by("seq")[:BATCH]):
                for event in events:
                    send(message(event))
                cursor.seq, cursor.sent_at, cursor.last_error = events[-1].seq, now(), ""
                cursor.save()
                sent += len(events)
    except OSError as error:
        Forwarding.objects.filter(pk=cursor.pk).update(last_error=str(error), seq=F("seq"))
        raise Unavailable(
            f"{receiver} cannot be reached: {error}", hint="check audit_syslog_url and the receiver"
        ) from error
    return sent


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


class _Sender:
    def __init__(self, connection: socket.socket, *, is_stream: bool) -> None:
        self._connection = connection
        self._is_stream = is_stream

    def __call__(self, line: bytes) -> None:
        self._connection.sendall(b"%d %s" % (len(line), line) if self._is_stream else line)


@contextmanager
def _connection(url: SplitResult) -> Iterator[_Sender]:
    address = (url.hostname or "", url.port or _PORTS[url.scheme])
    if url.scheme == "udp":
        with socket.socket(socket.getaddrinfo(*address)[0][0], socket.SOCK_DGRAM) as datagrams:
            datagrams.connect(address)
            yield _Sender(datagrams, is_stream=False)
        return
    with socket.create_connection(address, timeout=CONNECT_SECONDS) as stream:
        if url.scheme == "tcp":
            yield _Sender(stream, is_stream=True)
            return
        with ssl.create_default_context().wrap_socket(stream, server_hostname=url.hostname) as secured:
            yield _Sender(secured, is_stream=True)
