"""Hosts to sign in on: real OpenSSH servers, each with an /etc of its own in a mount namespace, so that accounts,
passwords, sudo and doas are real and the machine's own are not touched.

    ops   password "ops word", may sudo and doas with it; its key and certificate sign in
    free  may sudo without a password
    late  its password has expired
    root  password "root word" (for su); its key signs in
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.lab.parts import Server, answers, directory, free_port, need

OPS, ROOT_PASSWORD = "ops word", "root word"
_CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {home}/host
AuthorizedKeysFile {home}/user.pub
TrustedUserCAKeys {home}/ca.pub
StrictModes no
PasswordAuthentication yes
UsePAM no
PidFile none
PermitRootLogin yes
MaxStartups 100
AllowTcpForwarding yes
"""


@dataclass(slots=True)
class SshHost:
    """A running host. `host_key` is its public key, `key` the private key that signs in as any of its accounts."""

    home: Path
    port: int
    server: Server = field(init=False)

    @property
    def host_key(self) -> str:
        return (self.home / "host.pub").read_text()

    @property
    def key(self) -> str:
        return (self.home / "user").read_text()

    def certificate(self, principal: str) -> tuple[str, str]:
        """Return a key that nobody authorized, and the certificate that the host's authority signed for it."""
        path = self.home / f"signed-{principal}"
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
            words = ["-s", self.home / "ca", "-I", principal, "-n", principal, path.with_suffix(".pub")]
            subprocess.run(["ssh-keygen", "-q", *words], check=True)
        return path.read_text(), (self.home / f"signed-{principal}-cert.pub").read_text()

    def start(self) -> None:
        script = f"mount --bind {self.home}/etc /etc && exec /usr/sbin/sshd -D -e -f {self.home}/sshd_config"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        self.server = Server(command, self.home / "log")
        self.server.wait_for(lambda: answers(self.port), "sshd")

    def renew_host_key(self) -> None:
        """Make the host anew: it comes back with another host key."""
        self.server.stop()
        for name in ("host", "host.pub"):
            (self.home / name).unlink()
        make_key(self.home / "host")
        self.start()

    def drop_connections(self) -> None:
        """End every connection at once, as a crash of the host would; its server goes on."""
        for process in psutil.Process(self.server.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("sshd"):
                    process.kill()


def make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


def _hash(password: str) -> str:
    done = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _make_etc(etc: Path) -> None:
    """Copy the machine's /etc and put the accounts in."""
    shutil.copytree("/etc", etc, symlinks=True, ignore=shutil.ignore_patterns("ssl", "alternatives"))
    accounts = {"ops": _hash(OPS), "free": _hash("free word"), "late": _hash("late word")}
    for number, (name, hashed) in enumerate(accounts.items(), 4001):
        _append(etc / "passwd", f"{name}:x:{number}:{number}::/:/bin/bash")
        _append(etc / "group", f"{name}:x:{number}:")
        changed = 1 if name == "late" else 20000
        _append(etc / "shadow", f"{name}:{hashed}:{changed}:0:{90 if name == 'late' else 99999}:7:::")
    shadow = (etc / "shadow").read_text().splitlines()
    rest = [line for line in shadow if not line.startswith("root:")]
    (etc / "shadow").write_text("\n".join([f"root:{_hash(ROOT_PASSWORD)}:20000:0:99999:7:::", *rest]) + "\n")
    (etc / "sudoers").write_text("root ALL=(ALL) ALL\nops ALL=(ALL) ALL\nfree ALL=(ALL) NOPASSWD: ALL\n")
    (etc / "sudoers").chmod(0o440)
    (etc / "doas.conf").write_text("permit ops\npermit nopass free\n")
    (etc / "doas.conf").chmod(0o400)


def _append(path: Path, line: str) -> None:
    text = path.read_text()
    path.write_text(f"{text.rstrip()}\n{line}\n")


@contextmanager
def ssh_host(*lines: str) -> Iterator[SshHost]:
    """Start a host; `lines` are more of its sshd_config, and count before the usual ones."""
    need("sshd", "ssh-keygen", "sudo", "doas")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with directory() as home:
        home.chmod(0o755)
        for name in ("host", "user", "ca"):
            make_key(home / name)
        _make_etc(home / "etc")
        host = SshHost(home, free_port())
        (home / "sshd_config").write_text("\n".join(lines) + _CONFIGURATION.format(home=home, port=host.port))
        host.start()
        try:
            yield host
        finally:
            host.server.stop(signal.SIGTERM)


@contextmanager
def odd_server(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listen on a port and treat every connection with `behave`; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def treat(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            behave(connection)

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _peer = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(30)
            threads.append(threading.Thread(target=treat, args=(connection,), daemon=True))
            threads[-1].start()

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        serving.join()
        listener.close()
        for thread in threads:
            thread.join()
