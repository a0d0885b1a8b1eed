"""Where to connect, as whom, and how long each step may take. Plain values: they carry no connection."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SignIn:
    """What a host asks for. Prints without its secrets; all may be empty where the agent signs in.

    `private_key` is OpenSSH's format without a passphrase, `certificate` its certificate as one line.
    """

    password: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    certificate: str = field(default="", repr=False)
    agent_path: str = ""

    def digest(self) -> str:
        """Return what tells two sign-ins apart: a warm connection is for whoever shows the same one."""
        parts = (self.password, self.private_key, self.certificate, self.agent_path)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Become:
    """Another user on the host: by "sudo", "su" or "doas", with a password where one is asked for."""

    method: str = "sudo"
    user: str = "root"
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds for each phase. `run` is for a command; None is no limit."""

    connect: float = 10
    handshake: float = 15
    sign_in: float = 20
    become: float = 30
    run: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A host: `address` is a name or an IP address; `jumps` are the hosts on the way, the nearest to us first.

    `config` names files in the form of ~/.ssh/config that are asked as well; reading them costs at each connection.
    """

    address: str
    port: int = 22
    user: str = "root"
    sign_in: SignIn = field(default_factory=SignIn)
    jumps: tuple[Target, ...] = ()
    config: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """`address:port`, with brackets around IPv6."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def key(self) -> Any:
        """What a warm connection is for; equal for equal targets."""
        jumps = tuple(jump.key for jump in self.jumps)
        return (self.address, self.port, self.user, self.sign_in.digest(), jumps, self.config)


def parse_jumps(text: str, user: str, sign_in: SignIn) -> tuple[Target, ...]:
    """Return the targets of `ops@bastion:2222,inner`, as ProxyJump has them. Raises ValueError.

    A jump host without a user or port has `user` and 22; all are signed in on with `sign_in`.
    """
    return tuple(_jump(part.strip(), user, sign_in) for part in text.split(",") if part.strip() not in ("", "none"))


def _jump(text: str, user: str, sign_in: SignIn) -> Target:
    account, at, place = text.rpartition("@")
    host, colon, port = place.rpartition(":")
    if place.startswith("["):
        host, colon, port = place[1:].partition("]")
        port = port.removeprefix(":") or "22"
    elif not colon or ":" in host:  # a bare IPv6 address has colons and no port
        host, port = place, "22"
    if not host or host.startswith("-") or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise ValueError(f'"{text}" is no jump host; it looks like user@bastion:22')
    return Target(host, int(port), account if at else user, sign_in)
