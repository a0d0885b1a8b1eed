"""Python packages and virtual environments on hosts, by pip or uv as the host has them.

    {"operation": "list", "venv": "/opt/app/venv"}
    {"operation": "install", "packages": ["django>=5,<6"], "venv": "/opt/app/venv", "index_url": "https://..."}

Operations are list, outdated, freeze, check, install, upgrade, uninstall, create, remove and environments.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import BadInput
from quarterdeck.core.names import did_you_mean
from quarterdeck.jobs.pip import commands, parsing
from quarterdeck.jobs.pip.environments import Environment, Index
from quarterdeck.jobs.runners import Circumstances, End, Host, Parts, Runner, refuse_unknown, text_of, texts_of
from quarterdeck.jobs.runners.ssh import end_of
from quarterdeck.jobs.runners.tables import lines
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.metering import Exit
from quarterdeck.remote.running import run
from quarterdeck.remote.scripts import Command
from quarterdeck.remote.sessions import Chunk, Stream

OPERATIONS = (
    "list", "outdated", "freeze", "check", "install", "upgrade", "uninstall", "create", "remove", "environments",
)  # fmt: skip
_KNOWN = (
    "operation", "venv", "python", "is_user", "uv", "breaks_system", "packages", "requirements", "with_hashes",
    "with_previews", "without_dependencies", "index_url", "extra_index_urls", "wheels", "is_offline", "with_system",
    "roots", "users",
)  # fmt: skip
_CHANGING = ("install", "upgrade", "uninstall")
# Rows that stand in the record of a host; the output has them all.
_MAX_ROWS = 1000
_WITH_PASSWORD = re.compile(r"://[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked for; `environment` says of which Python."""

    operation: str
    environment: Environment
    index: Index
    packages: tuple[str, ...]
    requirements: str
    flags: Mapping[str, bool]
    roots: tuple[str, ...]
    users: tuple[str, ...]

    def command(self, nonce: str, *, is_check: bool) -> Command:
        """Return what is run on a host. Raises BadInput."""
        makers: dict[str, Callable[[], Command]] = {
            "list": lambda: commands.installed(self.environment),
            "outdated": lambda: commands.outdated(self.environment, self.index),
            "freeze": lambda: commands.freeze(self.environment),
            "check": lambda: commands.check(self.environment),
            "install": lambda: commands.install(self.environment, self._wanted(is_check), nonce, self.index),
            "upgrade": lambda: commands.install(self.environment, self._wanted(is_check), nonce, self.index),
            "uninstall": lambda: commands.uninstall(self.environment, self.packages, nonce),
            "create": self._create,
            "remove": lambda: commands.remove(self.environment.path),
            "environments": lambda: commands.discover(self.roots or commands.ROOTS, users=self.users),
        }
        return makers[self.operation]()

    def _wanted(self, is_check: bool) -> commands.Wanted:
        return commands.Wanted(
            self.packages,
            self.requirements,
            with_hashes=self.flags["with_hashes"],
            is_upgrade=self.operation == "upgrade",
            with_dependencies=not self.flags["without_dependencies"],
            with_previews=self.flags["with_previews"],
            is_dry_run=is_check,
        )

    def _create(self) -> Command:
        here = self.environment
        return commands.create(here.path, python=here.python, uv=here.uv, with_system=self.flags["with_system"])


def read(work: Mapping[str, Any]) -> Work:
    """Raises BadInput, also for what only a host would refuse: nothing begins then."""
    refuse_unknown(work, *_KNOWN)
    operation = text_of(work, "operation")
    if operation not in OPERATIONS:
        raise BadInput(
            _('pip has no operation "%(name)s"') % {"name": operation[:40]},
            hint=did_you_mean(operation, OPERATIONS) or ", ".join(OPERATIONS),
            field="operation",
        )
    here = Environment(
        text_of(work, "venv"),
        text_of(work, "python", "python3"),
        _flag(work, "is_user"),
        text_of(work, "uv", "auto" if operation != "create" else "never"),
        _flag(work, "breaks_system"),
    )
    here.check()
    if operation in ("create", "remove") and not here.path:
        raise BadInput(_("a virtual environment needs its path"), hint="/opt/app/venv", field="venv")
    names = ("with_hashes", "with_previews", "without_dependencies", "with_system")
    found = Work(
        operation,
        here,
        Index(_address(work, "index_url"), _addresses(work), text_of(work, "wheels"), _flag(work, "is_offline")),
        texts_of(work, "packages"),
        text_of(work, "requirements"),
        {name: _flag(work, name) for name in names},
        texts_of(work, "roots"),
        texts_of(work, "users"),
    )
    for text in (*found.packages, found.requirements):
        _checked(text, "packages" if text in found.packages else "requirements")
    found.command("0", is_check=False)
    return found


def _flag(work: Mapping[str, Any], name: str) -> bool:
    value = work.get(name, False)
    if not isinstance(value, bool):
        raise BadInput(_('"%(name)s" is true or false') % {"name": name}, field=name)
    return value


def _address(work: Mapping[str, Any], name: str) -> str:
    return _checked(text_of(work, name), name)


def _addresses(work: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(_checked(url, "extra_index_urls") for url in texts_of(work, "extra_index_urls"))


def _checked(url: str, field: str) -> str:
    """Refuse an address with a password: a run's work is shown, and kept in the audit log."""
    if _WITH_PASSWORD.search(url):
        raise BadInput(
            _("an address with a password is not kept in a run"),
            hint=_("put it into pip.conf on the host"),
            field=field,
        )
    return url


def shown(work: Work) -> str:
    what = " ".join(work.packages) or ("-r requirements.txt" if work.requirements else "")
    where = f"({work.environment.path})" if work.environment.path else ""
    return " ".join(part for part in ("pip", work.operation, what, where) if part)


async def _run(host: Host, work: Work, around: Circumstances) -> Parts:
    """Yield what pip says, what it did as lines, and the end. Raises RemoteError, BadInput."""
    if around.is_check and work.operation in ("uninstall", "create", "remove"):
        raise BadInput(_("pip cannot tell what this would do"), field="is_check")
    nonce = secrets.token_hex(8)
    out, err, done = bytearray(), bytearray(), None
    async with around.pool.lease(host.target, around.host_keys, around.patience) as connection:
        command = work.command(nonce, is_check=around.is_check)
        async with aclosing(
            run(connection, command, become=host.become, patience=around.patience, max_bytes=around.max_bytes)
        ) as parts:
            async for part in parts:
                if isinstance(part, Exit):
                    done = part
                elif part.stream is Stream.STDERR:
                    err += part.data
                    yield part
                else:
                    out += part.data
    text, end = _result(work, bytes(out), bytes(err), done, nonce, around)
    if text:
        yield Chunk(Stream.STDOUT, text)
    yield end


def _result(
    work: Work, out: bytes, err: bytes, done: Exit | None, nonce: str, around: Circumstances
) -> tuple[bytes, End]:
    """Return what is printed of the output, and how it ended. Raises PipFailed."""
    if done is None or done.is_timed_out or done.signal:
        return out, end_of(done, around) if done else End(HostStatus.LOST)
    if work.operation == "check" and done.code in (0, 1):
        found = parsing.problems(out, done.code)
        status = HostStatus.FAILED if done.code else HostStatus.OK
        return lines([[one] for one in found]), End(status, done.code, values={"problems": found[:_MAX_ROWS]})
    if (error := parsing.failure(done.code, err)) is not None:
        return out, End(HostStatus.FAILED, done.code, error.message, error.code)
    if work.operation in _CHANGING:
        changes = parsing.would_change(out) if around.is_check else parsing.changes(out, nonce)
        return _changed(changes, done)
    return _read(work, out, done)


def _changed(changes: Sequence[parsing.Change], done: Exit) -> tuple[bytes, End]:
    status = HostStatus.CHANGED if changes else HostStatus.OK
    rows = [[one.name, one.before or "-", "->", one.after or "-"] for one in changes]
    return lines(rows), End(status, done.code, values={"changes": [asdict(one) for one in changes[:_MAX_ROWS]]})


def _read(work: Work, out: bytes, done: Exit) -> tuple[bytes, End]:
    if work.operation in ("create", "remove"):
        is_changed = out.strip() == b"changed"
        return out, End(HostStatus.CHANGED if is_changed else HostStatus.OK, done.code)
    if work.operation == "freeze":
        return out, End(HostStatus.OK, done.code, values={"packages": parsing.frozen(out)[:_MAX_ROWS]})
    if work.operation == "environments":
        places = parsing.environments(out)
        rows = [[one.path, one.version, one.made_by, one.owner] for one in places]
        found = [
            {"path": one.path, "version": one.version, "made_by": one.made_by, "owner": one.owner} for one in places
        ]
        return lines(rows), End(HostStatus.OK, done.code, values={"environments": found[:_MAX_ROWS]})
    packages = parsing.packages(out)
    rows = [[one.name, one.version, *([one.latest] if one.latest else [])] for one in packages]
    return lines(rows), End(
        HostStatus.OK, done.code, values={"packages": [asdict(one) for one in packages[:_MAX_ROWS]]}
    )


PLUGIN = Runner(gettext_lazy("Python packages"), read, shown, _run, checks=True)
