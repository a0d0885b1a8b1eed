"""The beginning of a command: until it told its process id, as another user perhaps, who has to show a password.

The password is written to the channel when it is asked for, and only then: sudo with a password remembered, or without
one, does not ask, and the line would go to the command.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.remote.errors import BecomeRefused, PasswordExpired, Phase, RemoteError
from quarterdeck.remote.sessions import Chunk, Session, Stream
from quarterdeck.remote.target import Become

# su and doas ask in the host's language, and end with a colon.
_QUESTION = re.compile(rb"[:\xef\xbc\x9a]\s?$")
_MAX_HEAD_BYTES = 64 << 10
_EXPIRED = (b"password has expired", b"Password change required")


@dataclass(slots=True)
class Beginning:
    """The state of one beginning. `before` is what came before the process id; it belongs to the output."""

    become: Become | None
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))
    before: list[Chunk] = field(default_factory=list)
    _stdout: bytes = b""
    _stderr: bytes = b""
    _is_answered: bool = False

    @property
    def prompt(self) -> str:
        return f"[{self.nonce}] password:"

    @property
    def needs_terminal(self) -> bool:
        """Whether the password is only taken from a terminal."""
        return self.become is not None and self.become.method == "doas" and bool(self.become.password)

    async def pid(self, session: Session, seconds: float) -> int | None:
        """Return the command's process id, None when it ended without telling one. Raises RemoteError."""
        try:
            async with asyncio.timeout(seconds):
                return await self._read(session)
        except TimeoutError as error:
            raise self._refused(_("it does not go on"), Phase.BECOME) from error

    async def _read(self, session: Session) -> int | None:
        while (chunk := await session.next()) is not None:
            found = self._take(chunk)
            if found is not None:
                return found
            if self._is_asked():
                self._answer(session)
            if len(self._stdout) + len(self._stderr) > _MAX_HEAD_BYTES:
                raise self._refused(_("too much output before the command"), Phase.BECOME)
        self._ended()
        return None

    def _take(self, chunk: Chunk) -> int | None:
        """Add what came; return the process id when it is complete. What follows it is put into `before`."""
        if chunk.stream is Stream.STDERR:
            self._stderr += chunk.data
            return None
        self._stdout += chunk.data
        head, mark, rest = self._stdout.partition(f"\x01{self.nonce} ".encode())
        number, newline, after = rest.partition(b"\n")
        if not mark or not newline:
            return None
        # On a terminal what came before is the question.
        self._keep(Stream.STDOUT, after if self.needs_terminal else head + after)
        self._keep(Stream.STDERR, self._stderr)
        return int(number)

    def _keep(self, stream: Stream, data: bytes) -> None:
        data = data.replace(self.prompt.encode(), b"")
        if data:
            self.before.append(Chunk(stream, data))

    def _is_asked(self) -> bool:
        if self.become is None or not self.become.password:
            return False
        if self.become.method == "sudo":
            asked = self._stderr.count(self.prompt.encode()) > (1 if self._is_answered else 0)
        else:
            text = self._stdout if self.needs_terminal else self._stderr
            asked = not self._is_answered and _QUESTION.search(text) is not None
        if asked and self._is_answered:
            raise self._refused(_("the password is wrong"), Phase.BECOME)
        return asked

    def _answer(self, session: Session) -> None:
        if self.become is not None and session.channel is not None:
            self._is_answered = True
            # Who has gone meanwhile is found so by who reads on.
            with suppress(BrokenPipeError):
                session.channel.write(f"{self.become.password}\n".encode())

    def _ended(self) -> None:
        """The channel was closed before the command began."""
        if any(words in self._stderr + self._stdout for words in _EXPIRED):
            raise PasswordExpired(
                _("the host asks for another password before it runs anything"),
                hint=_("change it on the host, then give it with `qd credentials update`"),
                phase=Phase.RUN,
            )
        if self.become is not None:
            raise self._refused(self._said(), Phase.BECOME)
        self._keep(Stream.STDOUT, self._stdout)
        self._keep(Stream.STDERR, self._stderr)

    def _said(self) -> str:
        """Return the last line that the host wrote, for a person: printable, and short."""
        text = (self._stderr + self._stdout).replace(self.prompt.encode(), b"").decode("utf-8", "replace")
        said = [line.strip() for line in text.splitlines() if line.strip()]
        return "".join(char for char in said[-1] if char.isprintable())[:200] if said else _("it says nothing")

    def _refused(self, reason: str, phase: Phase) -> RemoteError:
        if self.become is None:
            message = _("the host does not start the command: %(reason)s") % {"reason": reason}
            return RemoteError(message, hint=_("its shell's start-up files may wait for something"), phase=Phase.RUN)
        values = {"method": self.become.method, "user": self.become.user, "reason": reason}
        return BecomeRefused(
            _("%(method)s does not lead to %(user)s: %(reason)s") % values,
            hint=_("check the password to become another user, and what the host allows"),
            phase=phase,
        )
