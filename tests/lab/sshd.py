"""An OpenSSH server of its own, with a key that may sign in as the current user."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.parts import Server, answers, directory, free_port, need


@dataclass(frozen=True, slots=True)
class SshServer:
    host: str
    port: int
    user: str
    key: Path
    host_key: Path


@contextmanager
def sshd() -> Iterator[SshServer]:
    need("sshd", "ssh-keygen")
    # Debian's service manager makes it at boot; sshd refuses to start without.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with directory() as home:
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", home / name]
            subprocess.run(command, check=True)
        port = free_port()
        configuration = home / "sshd_config"
        configuration.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\n"
            "StrictModes no\nPasswordAuthentication no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"
            "Subsystem sftp internal-sftp\n"
        )
        server = Server(["/usr/sbin/sshd", "-D", "-e", "-f", configuration], home / "log")
        try:
            server.wait_for(lambda: answers(port), "sshd")
            yield SshServer("127.0.0.1", port, getpass.getuser(), home / "user", home / "host.pub")
        finally:
            server.stop()
