"""One SSH connection: each phase in its time, every refusal a sentence.

The algorithms are in the order that was measured: OpenSSH's own first choice for years, sntrup761, costs 100 ms of
processor time for each connection; mlkem768x25519 and curve25519 a few, see `benchmarks/ssh.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass

import asyncssh
from asyncssh.misc import MaybeAwait
from django.utils.translation import gettext as _

from quarterdeck.remote.errors import (
    HostKeyChanged,
    HostKeyRefused,
    HostKeyUnknown,
    PasswordExpired,
    Phase,
    RemoteError,
    SignInRefused,
    Unreachable,
)
from quarterdeck.remote.host_keys import HostKeys, Verdict
from quarterdeck.remote.target import Patience, Target

KEY_EXCHANGES = (
    "mlkem768x25519-sha256",
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group14-sha256",
)
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
_KEEPALIVE_SECONDS, _KEEPALIVE_MISSES = 15, 3


@dataclass(slots=True)
class _Progress:
    """How far one attempt came, and what was found on the way."""

    timeout: asyncio.Timeout
    patience: Patience
    phase: Phase = Phase.CONNECT
    verdict: Verdict | None = None
    fingerprint: str = ""
    is_expired: bool = False

    def enter(self, phase: Phase, seconds: float) -> None:
        self.phase = phase
        self.timeout.reschedule(asyncio.get_running_loop().time() + seconds)


class _Client(asyncssh.SSHClient):
    """The callbacks of one connection, called by asyncssh."""

    def __init__(self, target: Target, host_keys: HostKeys, progress: _Progress) -> None:
        self._target, self._host_keys, self._progress = target, host_keys, progress
        # A wrong password is shown once, whichever way it is asked for: more would lock accounts.
        self._may_answer = self._may_be_asked = bool(target.sign_in.password)

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._progress.enter(Phase.HANDSHAKE, self._progress.patience.handshake)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        verdict = self._host_keys.judge(self._target.address, self._target.port, key)
        self._progress.verdict, self._progress.fingerprint = verdict, key.get_fingerprint()
        return verdict.goes_on

    def begin_auth(self, username: str) -> None:
        self._progress.enter(Phase.SIGN_IN, self._progress.patience.sign_in)

    def password_auth_requested(self) -> MaybeAwait[str | None]:
        return self._password()

    def _password(self) -> str | None:
        may_answer, self._may_answer = self._may_answer, False
        return self._target.sign_in.password if may_answer else None

    def password_change_requested(self, prompt: str, lang: str) -> MaybeAwait[tuple[str, str]]:
        self._progress.is_expired = True
        raise asyncssh.PermissionDenied("the password has expired")

    def kbdint_auth_requested(self) -> MaybeAwait[str | None]:
        # A server may offer this way and then ask nothing: it is gone into once.
        may_be_asked, self._may_be_asked = self._may_be_asked, False
        return "" if may_be_asked and self._may_answer else None

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> MaybeAwait[list[str] | None]:
        """Answer the one question for the password. A second one is for a new password, or says the first was wrong."""
        if not prompts:
            return []
        if len(prompts) > 1 or "new" in prompts[0][0].lower():
            self._progress.is_expired = True
            return None
        password = self._password()
        return None if password is None else [password]


async def connect(
    target: Target,
    host_keys: HostKeys,
    patience: Patience,
    through: asyncssh.SSHClientConnection | None = None,
) -> asyncssh.SSHClientConnection:
    """Return an open connection, by way of the jump host `through` when one is given. Raises RemoteError."""
    try:
        async with asyncio.timeout(patience.connect) as timeout:
            progress = _Progress(timeout, patience)
            return await _open(target, host_keys, progress, through)
    except TimeoutError as error:
        raise _too_late(target, progress) from error
    except (asyncssh.Error, OSError, ValueError) as error:
        raise _refused(target, progress, error) from error


async def _open(
    target: Target, host_keys: HostKeys, progress: _Progress, through: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    sign_in = target.sign_in
    connection, _client = await asyncssh.create_connection(
        lambda: _Client(target, host_keys, progress),
        target.address,
        target.port,
        tunnel=through or (),
        username=target.user,
        # An empty list of trusted keys: every key comes to `validate_host_public_key`.
        known_hosts=([], [], []),
        config=list(target.config) or None,
        client_keys=_client_keys(target),
        agent_path=sign_in.agent_path or None,
        kex_algs=KEY_EXCHANGES,
        encryption_algs=CIPHERS,
        compression_algs=None,
        server_host_key_algs=host_keys.algorithms(target.address, target.port),
        gss_auth=False,
        gss_kex=False,
        keepalive_interval=_KEEPALIVE_SECONDS,
        keepalive_count_max=_KEEPALIVE_MISSES,
        # The phases have their own times.
        connect_timeout=None,
        login_timeout=0,
    )
    return connection


def _client_keys(target: Target) -> list[object]:
    sign_in = target.sign_in
    if not sign_in.private_key:
        return []
    key = asyncssh.import_private_key(sign_in.private_key)
    if not sign_in.certificate:
        return [key]
    return [(key, asyncssh.import_certificate(sign_in.certificate))]


def _too_late(target: Target, progress: _Progress) -> RemoteError:
    messages = {
        Phase.CONNECT: _("%(place)s does not answer"),
        Phase.HANDSHAKE: _("%(place)s answers, and does not finish the handshake"),
        Phase.SIGN_IN: _("%(place)s does not finish the sign-in"),
    }
    message = messages[progress.phase] % {"place": target.place}
    return Unreachable(message, hint=_("is that an SSH server, and not overloaded?"), phase=progress.phase)


def _refused(target: Target, progress: _Progress, error: Exception) -> RemoteError:
    """Return what a failed attempt means. Order matters: a refused host key also ends the connection."""
    if progress.verdict is not None and not progress.verdict.goes_on:
        return _refused_key(target, progress.verdict, progress.fingerprint)
    if progress.is_expired:
        return PasswordExpired(
            _("%(place)s asks %(user)s for another password") % {"place": target.place, "user": target.user},
            hint=_("change it on the host, then give it with `qd credentials update`"),
            phase=Phase.SIGN_IN,
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return SignInRefused(
            _("%(place)s does not let %(user)s in") % {"place": target.place, "user": target.user},
            hint=_("check the user, and which credential is in force: `qd credentials resolve HOST`"),
            phase=Phase.SIGN_IN,
        )
    return _unreachable(target, progress, error)


def _refused_key(target: Target, verdict: Verdict, fingerprint: str) -> RemoteError:
    """Return why a host key does not count."""
    values = {"place": target.place, "fingerprint": fingerprint}
    if verdict is Verdict.CHANGED:
        return HostKeyChanged(
            _("%(place)s shows another host key than the approved one: %(fingerprint)s") % values,
            hint=_("somebody may stand in between; if the host was made anew, approve its key"),
            phase=Phase.HANDSHAKE,
        )
    if verdict is Verdict.REFUSED:
        return HostKeyRefused(
            _("%(place)s shows a host key that was refused: %(fingerprint)s") % values,
            hint=_("`qd hosts keys list` tells by whom; approve it there if it is right after all"),
            phase=Phase.HANDSHAKE,
        )
    return HostKeyUnknown(
        _("the host key of %(place)s is not approved yet: %(fingerprint)s") % values,
        hint=_("compare it with the host's, then approve it: `qd hosts keys approve`"),
        phase=Phase.HANDSHAKE,
    )


def _unreachable(target: Target, progress: _Progress, error: Exception) -> Unreachable:
    if isinstance(error, asyncssh.KeyExchangeFailed):
        reason = _("no algorithm in common")
    elif isinstance(error, socket.gaierror):
        reason = _("the name is unknown")
    else:
        reason = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    message = _("%(place)s cannot be reached: %(reason)s") % {"place": target.place, "reason": reason}
    return Unreachable(message, hint=_("check address, port and the way there"), phase=progress.phase)


def check_again(connection: asyncssh.SSHClientConnection, target: Target, host_keys: HostKeys) -> None:
    """Hold an open connection's host key against `host_keys`. Raises HostKeyUnknown, HostKeyChanged, HostKeyRefused."""
    key = connection.get_server_host_key()
    if key is None:  # a host certificate, which no approved key vouches for
        raise _refused_key(target, Verdict.NEW, "")
    verdict = host_keys.judge(target.address, target.port, key)
    if not verdict.goes_on:
        raise _refused_key(target, verdict, key.get_fingerprint())
