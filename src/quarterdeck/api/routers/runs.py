"""Runs: work on the hosts of a query, live and afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.description import file_answer
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Id, Json, Line, QueryText, Reason, moment
from quarterdeck.core.streams import server_sent
from quarterdeck.jobs.runs import actions, approving, output, queries
from quarterdeck.jobs.runs.following import News, follow
from quarterdeck.jobs.runs.models import Run, RunHost
from quarterdeck.jobs.runs.planning import MAX_AT_ONCE, Options

router = Router()
# Of each host's output, in a list of hosts; the whole of one is `/runs/{id}/hosts/{host}/output`.
_LISTED_BYTES = 1 << 20
_WITH_OUTPUT = 25
Names = Annotated[str, Query("", max_length=200, description="Names, separated by commas.")]


class RunRow(TypedDict):
    """A run. `counts` is how many hosts have which status; `batch` is the one that is due, from 0.

    One of a template has its name and version in `template` and `template_version`, and what was answered in `answers`;
    one that a schedule started has its name in `schedule`.
    `state` is approval, queued, running, paused, cancelling, stopping, succeeded, failed, stopped, cancelled or
    refused. `asked` lists the guard rules that it met: `[{"rule", "description", "asks", "why"}]`; where a second
    person was asked for, `decided_by` is that person and `decision` what was said.
    """

    id: int
    runner: str
    title: str
    work: dict[str, Any]
    query: str
    state: str
    note: str
    counts: dict[str, int]
    batch: int
    batches: list[int]
    options: dict[str, Any]
    reason: str
    actor: str
    asked: list[dict[str, str]]
    decided_by: str
    decided_at: str | None
    decision: str
    retry_of: int | None
    template: str
    template_version: int | None
    answers: dict[str, Any]
    schedule: str
    created_at: str
    started_at: str | None
    ended_at: str | None


class RunPage(Schema):
    items: list[RunRow]
    next: str | None


class NewRun(Body):
    """Work for the hosts of a query. `work` is what its runner reads, for ssh `{"command": "uptime"}`."""

    runner: Line = "ssh"
    work: dict[str, Json]
    query: QueryText
    batch: str = Field("", max_length=200)
    max_fail: str = Field("", max_length=20)
    pauses_after_first: bool = False
    timeout_seconds: float | None = Field(None, gt=0)
    at_once: int = Field(200, ge=1, le=MAX_AT_ONCE)
    becomes: bool = False
    credential: str = Field("", max_length=100)
    accepts_new_host_keys: bool = False
    is_repeatable: bool = False
    is_check: bool = False
    reason: Reason = ""


class SecondWord(Body):
    decision: Reason = ""


class Again(Body):
    reason: Reason = ""


class RunHostRow(TypedDict):
    """A host of a run. `status` is waiting, running, ok, changed, failed, unreachable, lost, cancelled or skipped.

    "lost" is one of which nobody knows how far it came. `stdout` and `stderr` are null where output was not asked for;
    bytes that are no UTF-8 are replaced in them.
    """

    id: int
    item: int | None
    name: str
    status: str
    exit_code: int | None
    error: str
    error_code: str
    started_at: str | None
    seconds: float | None
    stdout_bytes: int
    stderr_bytes: int
    is_cut: bool
    output_hash: str
    values: dict[str, Any]
    stdout: str | None
    stderr: str | None


class RunHostPage(Schema):
    items: list[RunHostRow]
    next: str | None


class FoldedRow(TypedDict):
    """Hosts that ended alike and printed the same; `first` and `name` are one of them."""

    status: str
    exit_code: int | None
    error: str
    output_hash: str
    count: int
    first: int
    name: str
    stdout: str
    stderr: str


class FoldedRows(Schema):
    items: list[FoldedRow]
    next: str | None


class PieceRow(TypedDict):
    stream: str
    text: str


class OutputRows(Schema):
    """`next` is null at the end of what is there."""

    items: list[PieceRow]
    next: str | None


def _options(run: Run) -> dict[str, Any]:
    found = actions.options_of(run)
    shown = {name: getattr(found, name) for name in Options.__slots__ if name not in ("batch", "reason")}
    return shown | {"max_fail": run.max_fail, "pauses_after_first": run.pauses_after_first}


def row_of(run: Run, counts: Mapping[str, int]) -> RunRow:
    return {
        "id": run.pk,
        "runner": run.runner,
        "title": run.title,
        "work": actions.shown_work(run.work),
        "query": run.query,
        "state": run.state,
        "note": run.note,
        "counts": {name: number for name, number in sorted(counts.items()) if number},
        "batch": run.batch,
        "batches": run.batches,
        "options": _options(run),
        "reason": run.reason,
        "actor": run.actor,
        "asked": run.asked,
        "decided_by": run.decided_by,
        "decided_at": moment(run.decided_at),
        "decision": run.decision,
        "retry_of": run.retry_of_id,
        "template": run.template,
        "template_version": run.template_version,
        "answers": run.answers,
        "schedule": run.schedule,
        "created_at": moment(run.created_at) or "",
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
    }


def one_row(run: Run) -> RunRow:
    return row_of(run, queries.counts_by_run([run])[run.pk])


def host_row(host: RunHost, printed: Mapping[str, bytes] | None) -> RunHostRow:
    return {
        "id": host.pk,
        "item": host.item_id,
        "name": host.name,
        "status": host.status,
        "exit_code": host.exit_code,
        "error": host.error,
        "error_code": host.error_code,
        "started_at": moment(host.started_at),
        "seconds": host.seconds,
        "stdout_bytes": host.stdout_bytes,
        "stderr_bytes": host.stderr_bytes,
        "is_cut": host.is_cut,
        "output_hash": host.output_hash,
        "values": host.values,
        "stdout": None if printed is None else _text(printed.get("stdout", b"")),
        "stderr": None if printed is None else _text(printed.get("stderr", b"")),
    }


def _text(data: bytes) -> str:
    return data.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@router.post("/runs", response={202: RunRow})
def start(request: HttpRequest, body: NewRun) -> Status[RunRow]:
    """Start a run. The answer comes at once; `/runs/{id}/events` tells how it goes."""
    options = Options(**body.dict(exclude={"runner", "work", "query"}))
    run = actions.start_run(identify(request), body.runner, body.work, body.query, options)
    return Status(202, one_row(run))


@router.get("/runs", response=RunPage)
def list_(
    request: HttpRequest,
    response: HttpResponse,
    state: Names,
    runner: Annotated[str, Query("", max_length=40)],
    q: Annotated[str, Query("", max_length=200, description="Part of the title.")],
    template: Annotated[str, Query("", max_length=60, description="Name of the template that they are of.")],
    limit: Limit = 100,
    after: After = "",
) -> dict[str, Any]:
    """List runs, newest first."""
    found = queries.runs(identify(request), states=_names(state), runner=runner, text=q, template=template)
    rows, cursor = by_id(found, after, limit, newest_first=True)
    counts = queries.counts_by_run(rows)
    return page(request, response, [row_of(run, counts[run.pk]) for run in rows], cursor)


@router.get("/runs/{int:run_id}", response=RunRow)
def read(request: HttpRequest, run_id: Id) -> RunRow:
    """Read one run."""
    return one_row(queries.run_of(identify(request), run_id))


@router.get("/runs/{int:run_id}/hosts", response=RunHostPage)
def hosts(
    request: HttpRequest,
    response: HttpResponse,
    run_id: Id,
    status: Names,
    q: Annotated[str, Query("", max_length=200, description="Part of the name.")],
    with_output: Annotated[
        bool, Query(False, description="With the first MB of each stream; at most 25 hosts in a page.")
    ],
    limit: Limit = 100,
    after: After = "",
) -> dict[str, Any]:
    """List the hosts of a run, by name, with what they printed where that is asked for."""
    actor = identify(request)
    run = queries.run_of(actor, run_id)
    limit = min(limit, _WITH_OUTPUT) if with_output else limit
    rows, cursor = by_id(queries.hosts_of(actor, run, statuses=_names(status), text=q), after, limit)
    printed = output.of_hosts(run, [host.pk for host in rows], _LISTED_BYTES) if with_output else {}
    found = [host_row(host, printed.get(host.pk, {}) if with_output else None) for host in rows]
    return page(request, response, found, cursor)


@router.get("/runs/{int:run_id}/hosts/{int:host_id}/output", response=OutputRows)
def read_output(
    request: HttpRequest,
    run_id: Id,
    host_id: Id,
    stream: Annotated[str, Query("", pattern="^(stdout|stderr)?$")],
    after: Annotated[str, Query("", pattern=r"^(\d{1,9}-\d{1,9})?$")],
) -> dict[str, Any]:
    """Read what a host printed, in the order in which it came, piece by piece."""
    actor = identify(request)
    host = queries.host_of(actor, queries.run_of(actor, run_id), host_id)
    block, _dash, part = (after or "0-0").partition("-")
    found = output.of_host(host, (int(block), int(part)), stream=stream, rows=100)
    last = f"{found[-1].at[0]}-{found[-1].at[1]}" if len(found) == 100 else None
    return {"items": [{"stream": one.stream, "text": _text(one.body)} for one in found], "next": last}


@router.get("/runs/{int:run_id}/groups", response=FoldedRows)
def groups(request: HttpRequest, run_id: Id) -> dict[str, Any]:
    """Fold the hosts that ended alike and printed the same, the rarest first, with what they printed."""
    actor = identify(request)
    run = queries.run_of(actor, run_id)
    found = queries.groups_of(actor, run)
    printed = output.of_hosts(run, [group.first for group in found], 64 << 10)
    return {"items": [_group(group, printed.get(group.first, {})) for group in found], "next": None}


def _group(group: queries.Group, printed: Mapping[str, bytes]) -> FoldedRow:
    return {
        "status": group.status,
        "exit_code": group.exit_code,
        "error": group.error,
        "output_hash": group.output_hash,
        "count": group.count,
        "first": group.first,
        "name": group.name,
        "stdout": _text(printed.get("stdout", b"")),
        "stderr": _text(printed.get("stderr", b"")),
    }


@router.get("/runs/{int:run_id}/events", response={200: None}, openapi_extra=file_answer("text/event-stream"))
def events(
    request: HttpRequest,
    run_id: Id,
    with_output: Annotated[bool, Query(True, description="With what the hosts print.")],
) -> StreamingHttpResponse:
    """Follow a run as server-sent events until it has ended: `{"kind": "run" | "output" | "host", ...}`."""
    actor = identify(request)
    # What is not there is an error answer, before the stream begins.
    queries.run_of(actor, run_id)
    return server_sent(follow(actor, run_id, with_output=with_output), _shown)


def _shown(news: News) -> dict[str, Any]:
    if news.run is not None:
        counts: Counter[str] = news.counts or Counter()
        return {"kind": "run", "run": row_of(news.run, counts)}
    if news.new is not None:
        new = news.new
        shown = {"host": new.host, "name": new.name, "stream": new.stream, "text": _text(new.body)}
        return {"kind": "output", **shown, "at": moment(new.ts)}
    return {"kind": "host", "host": host_row(news.host, None) if news.host else None}


@router.post("/runs/{int:run_id}/cancel", response=RunRow)
def cancel(request: HttpRequest, run_id: Id) -> RunRow:
    """End a run: what runs is ended on the hosts, nothing more begins."""
    return one_row(actions.cancel_run(identify(request), run_id))


@router.post("/runs/{int:run_id}/pause", response=RunRow)
def pause(request: HttpRequest, run_id: Id) -> RunRow:
    """Let what runs come to its end, and nothing more begin until it is resumed."""
    return one_row(actions.pause_run(identify(request), run_id))


@router.post("/runs/{int:run_id}/resume", response=RunRow)
def resume(request: HttpRequest, run_id: Id) -> RunRow:
    """Go on with a run that was paused."""
    return one_row(actions.resume_run(identify(request), run_id))


@router.post("/runs/{int:run_id}/approve", response=RunRow)
def approve(request: HttpRequest, run_id: Id, body: SecondWord) -> RunRow:
    """Let a run begin that waits for a second person, who is not the one who started it."""
    return one_row(approving.approve_run(identify(request), run_id, decision=body.decision))


@router.post("/runs/{int:run_id}/refuse", response=RunRow)
def refuse(request: HttpRequest, run_id: Id, body: SecondWord) -> RunRow:
    """End a run that waits for a second person: it begins nowhere."""
    return one_row(approving.refuse_run(identify(request), run_id, decision=body.decision))


@router.post("/runs/{int:run_id}/retry", response={202: RunRow})
def retry(request: HttpRequest, run_id: Id, body: Again) -> Status[RunRow]:
    """Do the same again on the hosts where it was not done: a run of its own."""
    return Status(202, one_row(actions.retry_run(identify(request), run_id, reason=body.reason)))
