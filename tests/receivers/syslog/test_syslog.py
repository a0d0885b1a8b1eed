"""Syslog with rsyslog, `logger` and Python's handler, over UDP, TCP and TLS."""

from __future__ import annotations

import logging
import logging.handlers
import socket
import subprocess
import time

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.rsyslog import rsyslog, write

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]
_ROWS = "SELECT * FROM logs WHERE service = {s:String} ORDER BY message"
_TLS = (
    ' StreamDriver="gtls" StreamDriverMode="1" StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="localhost"'
)


@pytest.mark.parametrize("template", ["RSYSLOG_SyslogProtocol23Format", "RSYSLOG_ForwardFormat", ""])
@pytest.mark.parametrize("way", ["udp", "tcp", "octet-counted", "tls"])
def test_it_stores_lines_of_rsyslog(intake: IntakeLab, way: str, template: str) -> None:
    service = intake.unique("app")
    port = intake.port("intake_syslog_tls" if way == "tls" else "intake_syslog")
    protocol = "udp" if way == "udp" else "tcp"
    framing = ' TCP_Framing="octet-counted"' if way in ("octet-counted", "tls") else ""
    chosen = f' template="{template}"' if template else ""
    certificate = intake.instance.environment["QD_INTAKE_TLS_CERTIFICATE"]
    modules = f'global(DefaultNetstreamDriverCAFile="{certificate}")' if way == "tls" else ""
    action = (
        f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{protocol}"{framing}{chosen}'
        f'{_TLS if way == "tls" else ""} action.resumeRetryCount="-1")'
    )
    stamp = time.strftime("%b %e %H:%M:%S")
    with rsyslog(action, modules) as own:
        write(own, *(f"<12>{stamp} web-9 {service}[{at}]: line {at} 中文" for at in range(20)))
        rows = intake.arrived(_ROWS, 20, s=service)
    assert len(rows) == 20
    assert {(row["host"], row["level"], row["attributes"]["syslog.facility"]) for row in rows} == {
        ("web-9", "warning", "user")
    }
    assert {row["attributes"]["process.pid"] for row in rows} == {str(at) for at in range(20)}
    assert rows[0]["message"].strip() == "line 0 中文"
    assert rows[0]["ts"][:16] == time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.mktime(time.strptime(
        f"{time.localtime().tm_year} {stamp}", "%Y %b %d %H:%M:%S"))))  # fmt: skip


@pytest.mark.parametrize(
    "options", [["--udp"], ["--tcp"], ["--tcp", "--octet-count"], ["--udp", "--rfc3164"], ["--tcp", "--rfc5424"]]
)
def test_it_stores_lines_of_logger(intake: IntakeLab, options: list[str]) -> None:
    service = intake.unique("tag")
    address = ["--server", "127.0.0.1", "--port", str(intake.port("intake_syslog"))]
    subprocess.run(["logger", *address, *options, "--tag", service, "-p", "local3.err", "hello world"], check=True)
    [row] = intake.arrived(_ROWS, s=service)
    assert (row["message"], row["level"], row["attributes"]["syslog.facility"]) == ("hello world", "error", "local3")
    assert row["host"] == socket.gethostname()
    [sender] = intake.arrived("SELECT kind FROM senders WHERE name = {n:String} AND protocol = 'syslog'", n=row["host"])
    assert sender["kind"] == "host"


def test_structured_data_becomes_attributes(intake: IntakeLab) -> None:
    service = intake.unique("sd")
    address = ["--server", "127.0.0.1", "--port", str(intake.port("intake_syslog")), "--udp"]
    more = ["--sd-id", "zoo@123", "--sd-param", 'tiger="hungry"', "--msgid", "M7", "--tag", service]
    subprocess.run(["logger", *address, *more, "fed"], check=True)
    [row] = intake.arrived(_ROWS, s=service)
    assert (row["attributes"]["zoo@123.tiger"], row["attributes"]["syslog.msgid"]) == ("hungry", "M7")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_it_stores_lines_of_python(intake: IntakeLab, kind: socket.SocketKind) -> None:
    service = intake.unique("py")
    handler = logging.handlers.SysLogHandler(("127.0.0.1", intake.port("intake_syslog")), socktype=kind)
    handler.ident = f"{service}[9]: "
    logger = logging.getLogger(service)
    logger.addHandler(handler)
    logger.error("one\ntwo" if kind == socket.SOCK_DGRAM else "one")
    handler.close()
    [row] = intake.arrived(_ROWS, s=service)
    assert (row["level"], row["host"]) == ("error", "127.0.0.1")
    assert row["message"] == ("one\ntwo" if kind == socket.SOCK_DGRAM else "one")
