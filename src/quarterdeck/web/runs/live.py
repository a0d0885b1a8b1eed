"""One run as it goes: the part of its page that changes, and the stream that says when."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from quarterdeck.access.checks import may
from quarterdeck.core.clock import now
from quarterdeck.core.errors import Unavailable
from quarterdeck.core.streams import server_sent
from quarterdeck.jobs.files.pulled import files_of, still_kept
from quarterdeck.jobs.runs import output, queries
from quarterdeck.jobs.runs.approving import may_decide
from quarterdeck.jobs.runs.following import News, follow
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, RunState
from quarterdeck.jobs.templates.rendering import text_of
from quarterdeck.web.formatting import visible
from quarterdeck.web.pages import PageRequest, page
from quarterdeck.web.runs.tallies import Tally

_HOSTS = 100
_GROUPS = 30
_FILES = 3
_SAMPLE_BYTES = 4 << 10
_LIVE_TEXT = 4 << 10


def context_of(request: PageRequest, run: Run) -> dict[str, Any]:
    counts = queries.counts_by_run([run])[run.pk]
    status = request.GET.get("status", "")
    hosts = queries.hosts_of(request.actor, run, statuses=[status] if status in HostStatus.values else ())
    rows, cursor = _page(hosts, request.GET.get("after", ""))
    ended_at = run.ended_at or now()
    return {
        "run": run,
        "answers": {name: text_of(value, ", ") for name, value in run.answers.items()},
        "tally": Tally(counts),
        "seconds": (ended_at - run.started_at).total_seconds() if run.started_at else None,
        **_groups(request, run),
        **_pulled(run, rows),
        "next_cursor": cursor,
        "status": status,
        "may_run": may(request.actor, "jobs.run"),
        "can": _can(run, counts),
        "may_decide": run.state == RunState.APPROVAL and may_decide(request.actor, run),
        "retries": list(run.retries.order_by("pk")),
    }


def _page(hosts: QuerySet[RunHost], after: str) -> tuple[list[RunHost], str]:
    """Hosts were stored in the order of their names, so their ids are in that order."""
    if after.isdecimal():
        hosts = hosts.filter(pk__gt=int(after))
    found = list(hosts.order_by("pk").select_related("item")[: _HOSTS + 1])
    return found[:_HOSTS], str(found[_HOSTS - 1].pk) if len(found) > _HOSTS else ""


def _pulled(run: Run, hosts: list[RunHost]) -> dict[str, Any]:
    """Return the hosts, each with the first of the files that were pulled from it, and how many more there are."""
    found = []
    for host in hosts:
        host.run = run
        files = files_of(host)
        found.append((host, files[:_FILES], max(0, len(files) - _FILES)))
    kept = still_kept(file for _host, files, _more in found for file in files)
    return {"hosts": found, "kept": kept, "has_files": run.runner == "pull"}


def _can(run: Run, counts: Any) -> dict[str, Any]:
    """Return what may be done with a run as it stands."""
    again = ("failed", "unreachable", "lost", "cancelled", "skipped")
    return {
        "cancel": run.state
        in (RunState.QUEUED, RunState.RUNNING, RunState.PAUSED, RunState.STOPPING, RunState.APPROVAL),
        "pause": run.state in (RunState.QUEUED, RunState.RUNNING),
        "resume": run.state == RunState.PAUSED,
        # The form has what these have; another runner's work, or more of it, would be lost on the way.
        "again": _again(run),
        "retry": run.is_ended and any(counts.get(status) for status in again),
    }


def _again(run: Run) -> str:
    """Return the address of the form that has all of the run's work, "" where there is none."""
    known = {
        "ssh": {"command", "script", "arguments"}, "push": set(run.work), "pull": set(run.work),
        "ansible": {"playbook", "module", "arguments", "tags", "shows_diff"},
    }  # fmt: skip
    has_modes = any("mode" in file for file in run.work.get("files", ()))
    is_map = isinstance(run.work.get("arguments"), dict)
    if run.runner not in known or set(run.work) - known[run.runner] or has_modes or is_map:
        return ""
    name = {"ssh": "run_new", "ansible": "run_new_playbook"}.get(run.runner, f"run_new_{run.runner}")
    return f"{reverse(f'web:{name}')}?again={run.pk}"


def _groups(request: PageRequest, run: Run) -> dict[str, Any]:
    """Return the groups with what they printed; who ended how is worth showing also while the engine is away."""
    found = queries.groups_of(request.actor, run, _GROUPS)
    try:
        printed = output.of_hosts(run, [group.first for group in found], _SAMPLE_BYTES)
    except Unavailable as error:
        return {"groups": _shown_groups(found, {}), "trouble": error}
    return {"groups": _shown_groups(found, printed)}


def _shown_groups(found: list[queries.Group], printed: dict[int, dict[str, bytes]]) -> list[dict[str, Any]]:
    largest = max(found, key=lambda group: group.count, default=None)
    return [
        {
            "group": group,
            "title": HostStatus(group.status).label,
            "stdout": _text(printed.get(group.first, {}).get("stdout", b"")),
            "stderr": _text(printed.get(group.first, {}).get("stderr", b"")),
            "is_odd": largest is not None and group is not largest and group.output_hash != largest.output_hash,
            "largest": largest,
        }
        for group in found
    ]


def _text(data: bytes) -> str:
    return visible(data.decode(errors="replace"))


@require_GET
@page("jobs.view")
def part(request: PageRequest, pk: int) -> HttpResponse:
    """The part of the page that changes while it runs."""
    return render(request, "web/runs/part.html", context_of(request, queries.run_of(request.actor, pk)))


@require_GET
@page("jobs.view")
def live(request: PageRequest, pk: int) -> HttpResponseBase:
    """Lines as hosts print them, and a word when something else changed, as server-sent events."""
    queries.run_of(request.actor, pk)
    return server_sent(follow(request.actor, pk, with_output=True), _shown)


def _shown(news: News) -> dict[str, Any]:
    if news.new is not None:
        text = _text(news.new.body[-_LIVE_TEXT:])
        return {"kind": "output", "name": visible(news.new.name), "stream": news.new.stream, "text": text}
    return {"kind": news.kind, "is_ended": bool(news.run and news.run.is_ended)}
