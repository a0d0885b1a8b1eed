"""What is sent to a host's shell. Every value of others goes through `shlex.quote`; no secret is ever part of it.

A command runs as `/bin/sh -c`, below the shell that the account has, and tells its process id first: `kill` needs it.
The telling has a nonce, so that no output of a command can pass for it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput
from quarterdeck.remote.target import Become

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACCOUNT = re.compile(r"[^\s:/\-][^\s:/]{0,63}")
# Seconds between SIGTERM and SIGKILL, in tenths.
_GRACE_TENTHS = 30


@dataclass(frozen=True, slots=True)
class Command:
    """A line for the host's shell, as a person writes it; `of` makes one of arguments that no shell may look into.

    `environment` must not hold secrets: on the host, its owner and root can read a process's environment.
    """

    text: str
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    stdin: bytes = field(default=b"", repr=False)

    @classmethod
    def of(cls, arguments: Sequence[str], **more: object) -> Command:
        return cls(shlex.join(arguments), **more)  # type: ignore[arg-type]


def check(command: Command) -> None:
    """Raise BadInput for what no process can be given."""
    for text in (command.text, command.directory, *command.environment.values()):
        if "\0" in text:
            raise BadInput(_("a command holds no NUL"), field="command")
    for name in command.environment:
        if not _NAME.fullmatch(name):
            raise BadInput(_('"%(name)s" is no name of a variable') % {"name": name[:60]}, field="environment")


def lines(command: Command, nonce: str) -> str:
    """Return the script that tells its process id and then runs the command. Raises BadInput."""
    check(command)
    parts = [f"printf '\\001{nonce} %d\\n' $$"]
    parts += [f"export {name}={shlex.quote(value)}" for name, value in command.environment.items()]
    if command.directory:
        parts.append(f"cd -- {shlex.quote(command.directory)} || exit 1")
    return "\n".join([*parts, command.text])


def is_account(name: str) -> bool:
    """Whether it can be a user's or group's name, or number."""
    return _ACCOUNT.fullmatch(name) is not None


def started(script: str, become: Become | None, prompt: str) -> str:
    """Return what the account's shell is told: `script` in /bin/sh, as another user where one is to be become."""
    inner = f"/bin/sh -c {shlex.quote(script)}"
    if become is None:
        return f"exec {inner}"
    if not is_account(become.user):
        raise BadInput(_('"%(name)s" is no name of an account') % {"name": become.user[:60]}, field="become_user")
    return f"exec {_BECOMING[become.method](become, inner, prompt)}"


def _sudo(become: Become, inner: str, prompt: str) -> str:
    asking = f"-S -p {shlex.quote(prompt)}" if become.password else "-n"
    return f"sudo -H {asking} -u {shlex.quote(become.user)} -- {inner}"


def _su(become: Become, inner: str, prompt: str) -> str:
    return f"su {shlex.quote(become.user)} -c {shlex.quote(f'exec {inner}')}"


def _doas(become: Become, inner: str, prompt: str) -> str:
    return f"doas {'' if become.password else '-n '}-u {shlex.quote(become.user)} -- {inner}"


_BECOMING = {"sudo": _sudo, "su": _su, "doas": _doas}


def killing(pid: int) -> Command:
    """Return the command that ends a process's whole group: SIGTERM, and SIGKILL when that is not enough.

    `kill -TERM -- -1` is an error in dash; with `-s` the shells agree.
    """
    return Command(f"""
g=$(ps -o pgid= -p {pid} 2>/dev/null | tr -d ' ')
[ -n "$g" ] || g={pid}
kill -s TERM -- "-$g" 2>/dev/null || exit 0
i=0
while kill -s 0 -- "-$g" 2>/dev/null; do
    i=$((i + 1))
    if [ "$i" -gt {_GRACE_TENTHS} ]; then kill -s KILL -- "-$g"; exit 0; fi
    sleep 0.1 2>/dev/null || sleep 1
done
""")
