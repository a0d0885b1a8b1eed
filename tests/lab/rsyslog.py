"""Debian's rsyslog, with a configuration and a state of its own: it reads lines from a TCP port and forwards them."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.parts import Server, answers, directory, free_port, need


@contextmanager
def rsyslog(action: str, modules: str = "") -> Iterator[int]:
    """Run rsyslogd with one action; yield the port at which it takes RFC 3164's lines over TCP."""
    need("rsyslogd")
    port = free_port()
    with directory() as home:
        config = home / "rsyslog.conf"
        config.write_text(
            f'global(workDirectory="{home}")\nmodule(load="imtcp")\n{modules}\n'
            f'input(type="imtcp" address="127.0.0.1" port="{port}")\n{action}\n'
        )
        program = shutil.which("rsyslogd", path="/usr/sbin:/usr/bin") or "rsyslogd"
        server = Server([program, "-n", "-f", config, "-i", home / "pid"], home / "log")
        try:
            server.wait_for(lambda: answers(port), "rsyslogd")
            yield port
        finally:
            server.stop()


def write(port: int, *lines: str) -> None:
    """Hand lines to it, as a program of the machine would."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("".join(f"{line}\n" for line in lines).encode())
