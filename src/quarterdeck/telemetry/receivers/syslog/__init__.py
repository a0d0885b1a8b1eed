"""Syslog over UDP, TCP and TLS: RFC 5424, RFC 3164 and what devices make of it.

The program's name is the service of a line. Times without a zone are taken as this machine's. See
https://www.rfc-editor.org/rfc/rfc5424
"""

from __future__ import annotations

from quarterdeck.telemetry.receivers.syslog.sessions import Connection, Datagram
from quarterdeck.telemetry.receiving import Client, Listener, Receiver

_RSYSLOG = """\
# /etc/rsyslog.d/quarterdeck.conf
*.* action(type="omfwd" target="{host}" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
           template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1" queue.type="linkedList")
"""
_RSYSLOG_TLS = """\
# /etc/rsyslog.d/quarterdeck.conf, with the package rsyslog-gnutls
global(DefaultNetstreamDriverCAFile="/etc/ssl/certs/ca-certificates.crt")
*.* action(type="omfwd" target="{host}" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
           StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="{host}"
           template="RSYSLOG_SyslogProtocol23Format")
"""
_LOGGER = """\
logger --server {host} --port {port} --udp --tag my-service "hello"
logger --server {host} --port {port} --tcp --octet-count --tag my-service "hello"
"""
_PYTHON = """\
import logging, logging.handlers

handler = logging.handlers.SysLogHandler(address=("{host}", {port}))
handler.ident = "my-service[1]: "
logging.getLogger().addHandler(handler)
"""
_DOCKER = """\
docker run --log-driver syslog --log-opt syslog-address=tcp://{host}:{port} \\
    --log-opt syslog-format=rfc5424micro --log-opt tag="{{.Name}}/{{.FullID}}" IMAGE
"""

PLUGIN = Receiver(
    title="Syslog",
    signals=("logs",),
    listeners=(
        Listener("intake_syslog", "udp", Datagram),
        Listener("intake_syslog", "tcp", Connection, silence_seconds=86_400.0),
        Listener("intake_syslog_tls", "tcp", Connection, silence_seconds=86_400.0, is_tls=True),
    ),
    clients=(
        Client("rsyslog", _RSYSLOG, setting="intake_syslog"),
        Client("rsyslog over TLS", _RSYSLOG_TLS, setting="intake_syslog_tls"),
        Client("logger", _LOGGER, setting="intake_syslog", language="shell"),
        Client("Python", _PYTHON, setting="intake_syslog", language="python"),
        Client("Docker", _DOCKER, setting="intake_syslog", language="shell"),
    ),
)
