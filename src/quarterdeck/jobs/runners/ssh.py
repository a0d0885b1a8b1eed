"""A command, or a script in any interpreter, over SSH. Nothing is installed on the host, nothing stays there.

{"command": "systemctl is-active nginx"}
{"script": "#!/usr/bin/env python3\\n...", "interpreter": "", "arguments": ["--all"], "environment": {"A": "1"},
 "directory": "/srv"}
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.guards.calling import SHELLS
from quarterdeck.jobs.runners import (
    Circumstances,
    End,
    Host,
    Parts,
    Program,
    Runner,
    refuse_unknown,
    text_of,
    texts_of,
)
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.running import Exit, run
from quarterdeck.remote.scripts import Command

_KNOWN = ("command", "script", "interpreter", "arguments", "environment", "directory")
_MAX_SCRIPT_BYTES = 1 << 20
_MAX_COMMAND_BYTES = 64 << 10
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The script comes over standard input into a directory of its own, which goes with it. Its own standard input is empty.
_SCRIPT = """
d=$(mktemp -d "${{TMPDIR:-/tmp}}/.qd.XXXXXXXX") || exit 1
trap 'rm -rf "$d"' EXIT
trap 'exit 143' HUP INT TERM
cat > "$d/script" && chmod 700 "$d/script" || exit 1
{call} </dev/null
"""


def read(work: Mapping[str, Any]) -> Command:
    """Return the command for the host's shell. Raises BadInput."""
    refuse_unknown(work, *_KNOWN)
    command, script = text_of(work, "command"), text_of(work, "script")
    if bool(command.strip()) == bool(script.strip()):
        raise BadInput(_("give a command or a script"), hint="qd run 'uptime' -q type:host", field="command")
    environment, directory = environment_of(work), text_of(work, "directory")
    if not script.strip():
        if "arguments" in work or "interpreter" in work:
            raise BadInput(_("arguments and an interpreter are for scripts"), field="arguments")
        _check(command, _MAX_COMMAND_BYTES, "command")
        return Command(command, environment, directory)
    return Command(_call(work), environment, directory, _script(script))


def environment_of(work: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of the work. Raises BadInput."""
    found = work.get("environment") or {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadInput(_('"%(name)s" has texts') % {"name": "environment"}, field="environment")
    for name, value in found.items():
        if not _NAME.fullmatch(name):
            raise BadInput(_('"%(name)s" is no name of a variable') % {"name": name[:60]}, field="environment")
        _check(value, _MAX_COMMAND_BYTES, "environment")
    return found


def _call(work: Mapping[str, Any]) -> str:
    """Return the script that runs the script: by its first line, or by the interpreter that is named."""
    arguments = texts_of(work, "arguments")
    for argument in arguments:
        _check(argument, _MAX_COMMAND_BYTES, "arguments")
    try:
        interpreter = shlex.split(text_of(work, "interpreter"))
    except ValueError as error:
        raise BadInput(_("the interpreter's quotes do not match"), hint="python3 -u", field="interpreter") from error
    if not interpreter and not text_of(work, "script").startswith("#!"):
        interpreter = ["/bin/sh"]
    before = f"{shlex.join(interpreter)} " if interpreter else ""
    return _SCRIPT.format(call=f'{before}"$d/script" {shlex.join(arguments)}'.rstrip())


def _script(text: str) -> bytes:
    _check(text, _MAX_SCRIPT_BYTES, "script")
    # From an editor of Windows: no interpreter of a Unix is found under "#!/bin/sh\r".
    return (text.replace("\r\n", "\n").rstrip("\n") + "\n").encode()


def _check(text: str, limit: int, field: str) -> None:
    if "\0" in text:
        raise BadInput(_("a command holds no NUL"), field=field)
    if len(text.encode(errors="surrogatepass")) > limit:
        raise BadInput(
            _("this is longer than %(limit)d KB") % {"limit": limit >> 10}, hint=_("push a file, and run it"),
            field=field,
        )  # fmt: skip


def shown(command: Command) -> str:
    text = command.stdin.decode() if command.stdin else command.text
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#!")]
    return lines[0] if lines else text.strip()


def programs(work: Mapping[str, Any]) -> list[Program]:
    """Return the command, or the script with its interpreter, which is a shell unless it says otherwise."""
    command, script = text_of(work, "command"), text_of(work, "script")
    if not script.strip():
        return [Program(command, environment=environment_of(work))]
    first = script.partition("\n")[0]
    words = shlex.split(text_of(work, "interpreter")) or (first[2:].split() if first.startswith("#!") else [])
    names = [word.rsplit("/", 1)[-1] for word in words if not word.startswith("-")]
    name = next((name for name in names if name != "env"), "sh")
    arguments = shlex.join(texts_of(work, "arguments"))
    # A script may call its arguments, by "$@".
    text, interpreter = (f"{script}\n{arguments}", "") if name in SHELLS else (script, name)
    return [Program(text, interpreter, environment_of(work))]


async def _run(host: Host, command: Command, around: Circumstances) -> Parts:
    """Yield what the host prints. Raises RemoteError, BadInput."""
    async with (
        around.pool.lease(host.target, around.host_keys, around.patience) as connection,
        aclosing(
            run(connection, command, become=host.become, patience=around.patience, max_bytes=around.max_bytes)
        ) as parts,
    ):
        async for part in parts:
            yield end_of(part, around) if isinstance(part, Exit) else part


def end_of(done: Exit, around: Circumstances) -> End:
    """Return what the end of a command is for a run."""
    if done.is_timed_out:
        seconds = around.patience.run or 0
        text = _("it was ended after %(seconds)g s, its time") % {"seconds": seconds}
        return End(HostStatus.FAILED, None, text, "timed_out", done.is_cut)
    if done.signal:
        text = _("signal %(name)s ended it") % {"name": done.signal}
        return End(HostStatus.FAILED, None, text, "signal", done.is_cut)
    return End(HostStatus.FAILED if done.code else HostStatus.OK, done.code, is_cut=done.is_cut)


PLUGIN = Runner(
    gettext_lazy("Command or script"), read, shown, _run, code=("command", "script", "interpreter"), programs=programs
)
