"""Runners: how one kind of work is done on one host. Each file exports `PLUGIN`, a `Runner`.

A runner knows no records: it gets a host and its work, and yields what the host printed, and how it ended. What is
common to all (permission, credentials, batches, time, records, output) is done by `jobs.working`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from quarterdeck.core.errors import BadInput, OpsError
from quarterdeck.core.names import did_you_mean
from quarterdeck.core.plugins import plugins
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.errors import Lost, Phase, RemoteError
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.pool import Pool
from quarterdeck.remote.sessions import Chunk
from quarterdeck.remote.target import Become, Patience, Target

FAMILY = "quarterdeck.jobs.runners"


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a run. `variables` are the item's fields and attributes, without secrets, for templates.

    `fields` are what exports tell of it: `{"id": 7, "env": "lab", "label:role": "web", "os_name": "Debian", ...}`.
    """

    id: int
    name: str
    target: Target
    become: Become | None
    variables: Mapping[str, Any]
    fields: Mapping[str, Any] = field(default_factory=dict)


class Files(Protocol):
    """The files of runs, for those who work on a shard's hosts. `directory()` is theirs, and goes with the shard."""

    async def directory(self) -> Path: ...

    async def fetch(self, sha256: str) -> Path:
        """Return a stored file on this disk; not to be written to. Raises NotFound."""

    async def keep(self, path: Path, sha256: str, size_bytes: int) -> int:
        """Store a file of this disk; return its id. Raises BadInput when there is no room."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the hosts of a piece of work share. Of a host's output `max_bytes` are kept.

    With `becomes` the run asked to be another user; `at_once` hosts are worked on at the same time.
    """

    pool: Pool
    host_keys: HostKeys
    patience: Patience
    max_bytes: int
    files: Files
    is_check: bool = False
    becomes: bool = False
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class End:
    """How it ended on a host. `error` is a sentence for a person, `error_code` its name for machines.

    `values` are what is told beside output, such as `{"sha256": "..."}`.
    """

    status: HostStatus
    exit_code: int | None = None
    error: str = ""
    error_code: str = ""
    is_cut: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


def failure(error: OpsError) -> End:
    """Return what an error of the way to a host, or of the work itself, is for a run."""
    text = f"{error.message} ({error.hint})" if error.hint else error.message
    if isinstance(error, Lost):
        return End(HostStatus.LOST, error=text, error_code=error.code)
    # What pip or Docker themselves failed at came over a connection that stood.
    is_reached = not isinstance(error, RemoteError) or error.phase in (Phase.BECOME, Phase.RUN)
    return End(HostStatus.FAILED if is_reached else HostStatus.UNREACHABLE, error=text, error_code=error.code)


Parts = AsyncGenerator[Chunk | End, None]
PartsTogether = AsyncGenerator[tuple[Host, Chunk | End], None]
Together = Callable[[Sequence[Host], Any, Circumstances], PartsTogether]


@dataclass(frozen=True, slots=True)
class Program:
    """What a host is made to run, for guard rules: a text for a shell, or for the interpreter that is named.

    `environment` are variables that it is given.
    """

    text: str
    interpreter: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_shell(self) -> bool:
        return not self.interpreter


@dataclass(frozen=True, slots=True)
class Runner:
    """`read` turns a run's stored work into what `run` gets, and raises BadInput; `shown` makes a title of it.

    `run` yields output and one End; it raises RemoteError and BadInput. What does many hosts in one process has
    `run_together` instead, which yields the same by host, one End for each; what it raises is how those ended that have
    none yet. One that `checks` can tell what it would do, and
    with `check_may_change` does more than tell; one that `may_become` by itself gets how to also where the
    run did not ask for it. With a `verb` it takes that right as well; one that does not `signs_in` gets a target
    without credentials.
    `code` names the parts of the work that a shell or an interpreter reads: answers of a template's form are never put
    into them, but into the variables of the work that `answers` names. What it `needs` are the checksums of stored
    files. With `opened`, `run` gets what that yields in the place of the work: made once for the hosts of a shard.
    `programs` returns what guard rules look at, from the stored work; without it, that is the title, as a command.
    """

    title: str | Promise
    read: Callable[[Mapping[str, Any]], Any]
    shown: Callable[[Any], str]
    run: Callable[[Host, Any, Circumstances], Parts] | None
    checks: bool = False
    check_may_change: bool = False
    verb: str = ""
    signs_in: bool = True
    code: tuple[str, ...] = ()
    answers: str = "environment"
    needs: Callable[[Any], Collection[str]] | None = None
    opened: Callable[[Any, Sequence[Host], Circumstances], AbstractAsyncContextManager[Any]] | None = None
    programs: Callable[[Mapping[str, Any]], Sequence[Program]] | None = None
    run_together: Together | None = None
    may_become: bool = False


def runners() -> dict[str, Runner]:
    return plugins(FAMILY, Runner)


def runner_named(name: str) -> Runner:
    """Raises BadInput with the near name."""
    found = runners()
    if name not in found:
        raise BadInput(
            _('there is no runner "%(name)s"') % {"name": name[:40]},
            hint=did_you_mean(name, found) or ", ".join(found),
            field="runner",
        )
    return found[name]


def text_of(work: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return a text of the work. Raises BadInput when it is none."""
    value = work.get(name, default)
    if not isinstance(value, str):
        raise BadInput(_('"%(name)s" is a text') % {"name": name}, field=name)
    return value


def texts_of(work: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts of the work. Raises BadInput when it is none."""
    value = work.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadInput(_('"%(name)s" is a list of texts') % {"name": name}, field=name)
    return tuple(value)


def flag_of(work: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """Return a yes or no of the work. Raises BadInput when it is none."""
    value = work.get(name, default)
    if not isinstance(value, bool):
        raise BadInput(_('"%(name)s" is true or false') % {"name": name}, field=name)
    return value


def refuse_unknown(work: Mapping[str, Any], *known: str) -> None:
    """Raise BadInput for a name that the runner does not know: a typing error would go unnoticed."""
    for name in work:
        if name not in known:
            raise BadInput(
                _('this runner knows no "%(name)s"') % {"name": str(name)[:40]},
                hint=did_you_mean(str(name), known) or ", ".join(known),
                field="work",
            )
