"""Ansible's playbooks and modules, by ansible-core itself, on all hosts of a piece of work together.

    {"playbook": "- hosts: all\\n  tasks: ...", "files": {"templates/motd.j2": "..."}, "tags": ["web"]}
    {"module": "ansible.builtin.service", "arguments": "name=nginx state=restarted"}

The inventory holds the hosts of the work and nothing else. A playbook runs code on the worker too (lookups, local
actions): who may play one acts as the worker's account, and needs the right to do so.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.core.errors import OpsError
from quarterdeck.jobs.ansible.events import Reading
from quarterdeck.jobs.ansible.leftovers import end_all
from quarterdeck.jobs.ansible.playbooks import Work, programs, read
from quarterdeck.jobs.ansible.reach import Reach, check, reach, untrusted
from quarterdeck.jobs.host_keys.places import places_of
from quarterdeck.jobs.runners import Circumstances, End, Host, PartsTogether, Runner, failure
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote import local
from quarterdeck.remote.errors import RemoteError
from quarterdeck.remote.metering import Exit, Meter
from quarterdeck.remote.sessions import Chunk, Stream

_HELPER = Path(__file__).parent.parent / "ansible" / "helper.py"
_FORKS_PER_CORE = 25
# Events are no output: each host's output is counted by itself.
_NO_LIMIT = 1 << 50
# A fork for each host has some pipes.
_LIMITS = local.LocalLimits(open_files=8192)
_SAID_BYTES = 4096
# A control socket's path has 104 bytes, of which ssh and Ansible need 40.
_MAX_BASE = 40
# Connections that are tried at once, to tell why a host is not reached.
_TRIED_AT_ONCE = 50


async def _run_together(hosts: Sequence[Host], work: Work, around: Circumstances) -> PartsTogether:
    """Yield what the hosts say and how each ended. Raises LocalFailed when nothing can be started here."""
    ready: list[Host] = []
    async for host, end in _met(hosts, around):
        if end is None:
            ready.append(host)
        else:
            yield host, end
    if not ready:
        return
    async with _directory() as directory:
        reached = reach(ready, around.host_keys, directory, becomes=around.becomes)
        await asyncio.to_thread(_write, Path(directory), work, reached)
        async with aclosing(_Playing(ready, work, around, directory, reached).parts()) as parts:
            async for part in parts:
                yield part


async def _met(hosts: Sequence[Host], around: Circumstances) -> AsyncGenerator[tuple[Host, End | None], None]:
    """Yield each host, with why it cannot be worked on where that is so.

    Ansible is given approved host keys only: a host without one is met by a connection of ours, under the usual rules.
    """
    strangers = []
    for host in hosts:
        try:
            check(host.target)
        except OpsError as error:
            yield host, failure(error)
            continue
        if all(around.host_keys.approved.get(place) for place in places_of([host.target])):
            yield host, None
        else:
            strangers.append(host)
    for host, trouble in zip(strangers, await _tried(strangers, around), strict=True):
        yield host, failure(trouble) if trouble else None


async def _tried(hosts: Sequence[Host], around: Circumstances) -> list[OpsError | None]:
    """Return why each host cannot be signed in on, None when it can."""
    gate = asyncio.Semaphore(_TRIED_AT_ONCE)

    async def one(host: Host) -> OpsError | None:
        async with gate:
            try:
                async with around.pool.lease(host.target, around.host_keys, around.patience):
                    return None
            except OpsError as error:
                return error

    return list(await asyncio.gather(*map(one, hosts)))


@asynccontextmanager
async def _directory() -> AsyncGenerator[str, None]:
    """A directory that is ours alone, in memory where that is possible, and gone afterwards."""
    directory = tempfile.mkdtemp(prefix="qd-ansible-", dir=_base())
    try:
        yield directory
    finally:
        await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


def _base() -> str:
    """Return where it may be: the inventory is a program there."""
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 - mkdtemp is what is safe there
        is_ours = base and len(base) < _MAX_BASE and os.access(base, os.W_OK | os.X_OK)
        if is_ours and not os.statvfs(base).f_flag & os.ST_NOEXEC:
            return base
    usual = tempfile.gettempdir()
    return usual if len(usual) < _MAX_BASE else "/tmp"  # noqa: S108


def _write(directory: Path, work: Work, reached: Reach) -> None:
    for name, text in (*reached.files.items(), ("variables.json", json.dumps(untrusted(work.variables)))):
        (directory / name).write_text(text, encoding="utf-8")
    for name, text in work.files.items():
        path = directory / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace", newline="")


class _Playing:
    """One ansible-playbook and what it does to the hosts."""

    def __init__(
        self, hosts: Sequence[Host], work: Work, around: Circumstances, directory: str, reached: Reach
    ) -> None:
        self._hosts, self._work, self._around = hosts, work, around
        self._reached = reached
        self._mark = f"QD_RUN={secrets.token_hex(16)}"
        self._reading = Reading(tells_all=work.is_module)
        self._meters = {host.id: Meter(around.max_bytes) for host in hosts}
        self._order = self._ordered(directory)
        self._said = b""

    def _ordered(self, directory: str) -> bytes:
        order = {
            "directory": directory,
            "playbook": self._work.playbook,
            "arguments": self._arguments(),
            "environment": {},
            "inventory": self._reached.inventory,
            "private_keys": self._reached.private_keys,
            "mark": self._mark,
        }
        return json.dumps(order).encode()

    def _arguments(self) -> list[str]:
        work, cores = self._work, os.cpu_count() or 1
        found = ["--forks", str(work.forks or min(len(self._hosts), _FORKS_PER_CORE * cores))]
        if self._around.is_check:
            found.append("--check")
        if work.shows_diff:
            found.append("--diff")
        if self._around.becomes:
            found.append("--become")
        for option, words in (("--tags", work.tags), ("--skip-tags", work.skip_tags)):
            found += [f"{option}={word}" for word in words]
        return found

    async def parts(self) -> PartsTogether:
        """Yield output and ends. What still runs on the hosts when this is left is ended there."""
        is_over = False
        done: Exit | OpsError | None = None
        try:
            async with aclosing(self._played()) as parts:
                async for part in parts:
                    if isinstance(part, Exit):
                        done = part
                    else:
                        yield part
            is_over = isinstance(done, Exit) and not done.is_timed_out
        except local.LocalFailed as error:
            if not self._reading.has_begun:
                raise
            done = error
        finally:
            remaining: list[Host] = []
            if not is_over and self._reading.has_begun:
                # Who was cancelled must still see this through.
                remaining = await asyncio.shield(asyncio.create_task(end_all(self._hosts, self._mark, self._around)))
        async for host, end in self._ends(done, remaining):
            yield host, end

    async def _played(self) -> AsyncGenerator[tuple[Host, Chunk] | Exit, None]:
        """Yield what the hosts say, and last how the helper ended."""
        waiting = bytearray()
        arguments = [sys.executable, "-I", str(_HELPER)]
        seconds = self._around.patience.run
        async with aclosing(
            local.run_program(arguments, stdin=self._order, limits=_LIMITS, seconds=seconds, max_bytes=_NO_LIMIT)
        ) as parts:
            async for part in parts:
                if isinstance(part, Exit):
                    yield part
                elif part.stream is Stream.STDERR:
                    self._said = (self._said + part.data)[-_SAID_BYTES:]
                else:
                    waiting += part.data
                    *lines, rest = waiting.split(b"\n")
                    waiting = rest
                    for line in lines:
                        for told in self._told(line):
                            yield told

    def _told(self, line: bytes | bytearray) -> Iterator[tuple[Host, Chunk]]:
        for name, chunk in self._reading.add(json.loads(line)):
            host = self._reached.names.get(name)
            if host is None:
                # The worker itself, say: it is done for all of them.
                chunk = Chunk(
                    chunk.stream, b"".join(f"{name} | ".encode() + one for one in chunk.data.splitlines(True))
                )
            for one in self._hosts if host is None else [host]:
                if (allowed := self._meters[one.id].allowed(chunk)) is not None:
                    yield one, allowed

    async def _ends(self, done: Exit | OpsError | None, remaining: Sequence[Host]) -> PartsTogether:
        unreachable = []
        for name, host in self._reached.names.items():
            end = self._end(name, host, done, is_left=host in remaining)
            if end.status is HostStatus.UNREACHABLE:
                unreachable.append((host, end))
            else:
                yield host, end
        # ssh says little: our own connection finds out why, and keeps a host key that was changed.
        errors = await _tried([host for host, _end in unreachable], self._around)
        for (host, end), error in zip(unreachable, errors, strict=True):
            yield host, self._explained(end, error)

    def _explained(self, end: End, error: OpsError | None) -> End:
        if not isinstance(error, RemoteError):
            return end
        found = failure(error)
        return End(end.status, end.exit_code, found.error, found.error_code, end.is_cut, end.values)

    def _end(self, name: str, host: Host, done: Exit | OpsError | None, *, is_left: bool) -> End:
        status, error, code = self._outcome(name, done)
        if is_left:
            left = _("it may still run there")
            error = f"{error}; {left}"
        reading = self._reading
        exit_code = (
            reading.exit_code(name) if status in (HostStatus.FAILED, HostStatus.OK, HostStatus.CHANGED) else None
        )
        if exit_code is None and status in (HostStatus.OK, HostStatus.CHANGED):
            exit_code = 0
        return End(status, exit_code, error, code, self._meters[host.id].is_cut, reading.counts(name))

    def _outcome(self, name: str, done: Exit | OpsError | None) -> tuple[HostStatus, str, str]:
        """Return status, error and its code of a host."""
        reading = self._reading
        if reading.missing:
            hint = {"ssh": "apt-get install openssh-client"}.get(reading.missing, "pip install 'quarterdeck[ansible]'")
            text = _("%(name)s is not installed on this worker") % {"name": reading.missing}
            return HostStatus.FAILED, f"{text} ({hint})", "no_ansible"
        if isinstance(done, OpsError):
            return HostStatus.LOST, done.message, done.code
        if done is not None and done.is_timed_out:
            seconds = {"seconds": self._around.patience.run or 0, "task": reading.task(name)}
            text = _("the playbook was ended after %(seconds)g s, its time, in task: %(task)s") % seconds
            return HostStatus.FAILED, text, "timed_out"
        if reading.stats is None:
            return self._broken()
        return self._by_stats(name)

    def _broken(self) -> tuple[HostStatus, str, str]:
        """Ansible ended without a word about the hosts: it could not begin, or something ended it."""
        said = self._reading.said.strip() or self._said.decode(errors="replace").strip().rpartition("\n")[2]
        text = _("Ansible does not play it: %(reason)s") % {"reason": said or self._reading.code}
        return HostStatus.LOST if self._reading.has_begun else HostStatus.FAILED, text, "ansible_failed"

    def _by_stats(self, name: str) -> tuple[HostStatus, str, str]:
        reading = self._reading
        status = reading.status(name)
        if status in (HostStatus.FAILED, HostStatus.UNREACHABLE):
            return status, reading.error(name), "" if status is HostStatus.FAILED else "unreachable"
        for other in self._others():
            text = f"{other}: {reading.error(other)}"
            return HostStatus.FAILED, text, "ansible_failed"
        if status is None:
            return HostStatus.SKIPPED, _("no play, or no task, is for this host"), "no_play"
        return status, "", ""

    def _others(self) -> Iterable[str]:
        """Yield what failed and is none of the run's hosts: the worker itself, where a play is for localhost."""
        stats = self._reading.stats or {}
        for kind in ("failed", "unreachable"):
            yield from (name for name in stats[kind] if name not in self._reached.names)


def _shown(work: Work) -> str:
    return work.title


PLUGIN = Runner(
    gettext_lazy("Ansible"),
    read,
    _shown,
    None,
    checks=True,
    # Tasks may say `check_mode: false`.
    check_may_change=True,
    verb="jobs.run_local",
    code=("playbook", "files", "module", "arguments"),
    answers="variables",
    programs=programs,
    run_together=_run_together,
    may_become=True,
)
