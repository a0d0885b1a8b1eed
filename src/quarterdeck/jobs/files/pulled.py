"""What runs pulled from hosts: seen and downloaded by who may see the run on that host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from quarterdeck.access.checks import action
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import NotFound
from quarterdeck.jobs.files import storing
from quarterdeck.jobs.files.archive import Member, tar
from quarterdeck.jobs.files.models import StoredFile
from quarterdeck.jobs.runs.models import Run, RunHost
from quarterdeck.jobs.runs.queries import host_of, hosts_of, run_of

_VERB = "jobs.view"
_ROWS_AT_A_TIME = 200


@dataclass(frozen=True, slots=True)
class Pulled:
    """A file of a host, as its run tells it. `name` is where it is below the path that was asked for."""

    id: int
    path: str
    name: str
    size_bytes: int
    sha256: str


def files_of(host: RunHost) -> list[Pulled]:
    """Return what was pulled from a host; [] of other runs."""
    if host.run.runner != "pull":
        return []
    rows = host.values.get("files", ())
    return [Pulled(row["id"], row["path"], row["name"], row["size_bytes"], row["sha256"]) for row in rows]


def still_kept(files: Iterable[Pulled]) -> set[str]:
    """Return the checksums of those that have not gone since."""
    found = StoredFile.objects.filter(sha256__in={file.sha256 for file in files}, is_whole=True)
    return set(found.values_list("sha256", flat=True))


@action(_VERB)
def download(actor: Actor, run_id: int, host_id: int, file_id: int) -> tuple[Pulled, Iterator[bytes]]:
    """Return a file that was pulled from a host, and its content. Raises NotFound."""
    run = run_of(actor, run_id)
    host = host_of(actor, run, host_id)
    file = next((one for one in files_of(host) if one.id == file_id), None)
    if file is None:
        raise NotFound(_("this run pulled no such file from this host"), hint=f"qd runs show {run_id}")
    stored = _stored(file)
    told = {"host": host.name, "path": file.path, "sha256": file.sha256, "size_bytes": file.size_bytes}
    record(actor, "jobs.file.download", run, run.title, after=told)
    return file, storing.blocks(stored)


def _stored(file: Pulled) -> StoredFile:
    # Also by its content: it may have gone, and come again from somewhere else.
    found = storing.whole(file.sha256)
    if found is None:
        raise NotFound(
            _("%(path)s is kept no more") % {"path": file.path},
            hint=_("pull it again; run_files_retention_days says how long files are kept"),
        )
    StoredFile.objects.filter(pk=found.pk).update(used_at=now())
    return found


@action(_VERB)
def download_all(actor: Actor, run_id: int) -> Iterator[bytes]:
    """Return a tar of all that a run pulled, `HOST/NAME`, of the hosts that the actor may see. Raises NotFound.

    What is kept no more is missing in it; it is an error when nothing is left.
    """
    run = run_of(actor, run_id)
    hosts = hosts_of(actor, run).exclude(values={}) if run.runner == "pull" else RunHost.objects.none()
    ids = list(hosts.values_list("pk", flat=True))
    if not any(still_kept(files_of(host)) for host in _each(run, ids)):
        raise NotFound(_("run %(id)d has no files") % {"id": run_id}, hint=_("they were pulled by none, or have gone"))
    record(actor, "jobs.file.download", run, run.title, after={"hosts": len(ids)})
    return tar(_members(run, ids))


def _each(run: Run, ids: list[int]) -> Iterator[RunHost]:
    for start in range(0, len(ids), _ROWS_AT_A_TIME):
        for host in RunHost.objects.filter(pk__in=ids[start : start + _ROWS_AT_A_TIME]).order_by("name", "pk"):
            host.run = run
            yield host


def _members(run: Run, ids: list[int]) -> Iterator[Member]:
    directories: set[str] = set()
    for host in _each(run, ids):
        directory = unique(safe_name(host.name), directories)
        names: set[str] = set()
        for file in files_of(host):
            stored = storing.whole(file.sha256)
            if stored is not None:
                name = unique("/".join(map(safe_name, file.name.split("/"))), names)
                yield Member(f"{directory}/{name}", stored.size_bytes, run.created_at, storing.blocks(stored))


def safe_name(text: str) -> str:
    """Return a name of a host's as one name of a file: nothing that leads elsewhere, or that a terminal obeys."""
    name = re.sub(r"[\x00-\x1f\x7f-\x9f/\\]", "_", text)[:200]
    return f"_{name}" if name in ("", ".", "..") else name


def file_name(file: Pulled) -> str:
    """Return the name under which one file is downloaded."""
    return safe_name(file.name.rpartition("/")[2])


def unique(name: str, taken: set[str]) -> str:
    """Return the name, with a number where it is taken; it is taken then."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}~{number}"
    taken.add(found)
    return found
