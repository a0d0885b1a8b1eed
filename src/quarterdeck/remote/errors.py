"""What can go wrong on the way to a host, as sentences. No text of these holds a secret.

RemoteError          what was found, and in `hint` the next step; `phase` says how far it came
  ├ Unreachable      nobody answers, or too late; the connection was closed in the handshake
  ├ HostKeyUnknown   first contact, and nobody approved the key yet
  ├ HostKeyChanged   another key than the approved one: an attack, or the host was made anew
  ├ HostKeyRefused   a key that somebody said no to
  ├ SignInRefused    the credential is not taken
  ├ PasswordExpired  the host asks for another password
  ├ BecomeRefused    sudo, su or doas did not take the password, or does not allow it
  ├ NoFileTransfer   the host has no SFTP for this account
  ├ FileFailed       a file operation did not succeed (disk full, read-only, ...)
  ├ EngineUnreachable  no Docker Engine answers there
  ├ EngineFailed     the Docker Engine could not do it, or stopped in the middle
  └ Lost             the connection ended while a command ran: whether it was done is not known
"""

from __future__ import annotations

from enum import StrEnum

from quarterdeck.core.errors import Unavailable


class Phase(StrEnum):
    """How far a connection came. Each has a time of its own."""

    CONNECT = "connect"
    HANDSHAKE = "handshake"
    SIGN_IN = "sign_in"
    BECOME = "become"
    RUN = "run"


class RemoteError(Unavailable):
    """Each kind has a `code` of its own for machines; they are told apart from a command that failed."""

    code = "remote"

    def __init__(self, message: str, *, hint: str = "", phase: Phase = Phase.CONNECT) -> None:
        super().__init__(message, hint=hint)
        self.phase = phase


class Unreachable(RemoteError):
    code = "unreachable"


class HostKeyUnknown(RemoteError):
    code = "host_key_unknown"


class HostKeyChanged(RemoteError):
    code = "host_key_changed"


class HostKeyRefused(RemoteError):
    code = "host_key_refused"


class SignInRefused(RemoteError):
    code = "sign_in_refused"


class PasswordExpired(RemoteError):
    code = "password_expired"


class BecomeRefused(RemoteError):
    code = "become_refused"


class NoFileTransfer(RemoteError):
    code = "no_file_transfer"


class FileFailed(RemoteError):
    code = "file_failed"


class EngineUnreachable(RemoteError):
    code = "docker_unreachable"


class EngineFailed(RemoteError):
    code = "docker_failed"


class Lost(RemoteError):
    code = "lost"
