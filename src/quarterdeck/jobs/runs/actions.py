"""What is done with runs. The work itself is queued, and done with the rights that its actor has by then."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.files.actions import hold
from quarterdeck.jobs.guards.deciding import Deed, asked, met_by
from quarterdeck.jobs.runners import runner_named
from quarterdeck.jobs.runs.claiming import advance, announce
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, RunState
from quarterdeck.jobs.runs.planning import Options, chosen, lay_out, sizes_of

_AGAIN = (
    HostStatus.FAILED, HostStatus.UNREACHABLE, HostStatus.LOST, HostStatus.CANCELLED, HostStatus.SKIPPED,
)  # fmt: skip
_VERB = "jobs.run"


@action(_VERB)
def start_run(
    actor: Actor,
    runner: str,
    work: Mapping[str, Any],
    query: str,
    options: Options | None = None,
    *,
    schedule: str = "",
) -> Run:
    """Do `work` on the hosts of a query, by a runner such as "ssh". Returns at once; workers do it.

    Raises BadInput, BadQuery, Denied.
    """
    return begin(actor, runner, work, chosen(actor, query), options or Options(), query=query, schedule=schedule)


def begin(
    actor: Actor, runner: str, work: Mapping[str, Any], hosts: Sequence[Item], options: Options, **more: Any
) -> Run:
    """Start a run on hosts on which the actor may; `more` are further fields of its record. Part of an action."""
    how = runner_named(runner)
    if how.verb:
        require(actor, how.verb)
    read = how.read(work)
    title = more.pop("title", "") or how.shown(read)
    if how.needs is not None:
        hold(how.needs(read))
    options.check()
    # What only tells what it would do needs no guard.
    met = [] if options.is_check and not how.check_may_change else met_by(Deed.of(runner, work, hosts, now()))
    waits = asked(met, options.reason)
    if options.is_check and not how.checks:
        raise BadInput(_("this runner cannot tell what it would do"), field="is_check")
    if options.accepts_new_host_keys:
        require(actor, "jobs.host_keys")
    run = Run(runner=runner, work=dict(work), title=title[:300], created_at=now(), **_values(options), **more)
    run.batches = sizes_of(options.batch, len(hosts))
    run.actor, run.actor_kind, run.actor_id = actor.name[:150], actor.kind.value, actor.id
    run.language = get_language() or ""
    run.asked = [asdict(one) for one in met]
    run.state = RunState.APPROVAL if waits else RunState.QUEUED
    run.save()
    lay_out(run, hosts)
    record(actor, "jobs.run.start", run, run.title, after=_audited(run, len(hosts), options), reason=options.reason)
    if not waits:
        announce(run.shards.filter(batch=0))
    return run


def _values(options: Options) -> dict[str, Any]:
    """Return the fields of a run that options say."""
    values = asdict(options)
    del values["batch"]
    values["host_timeout_seconds"] = values.pop("timeout_seconds")
    values["hosts_at_once"] = values.pop("at_once")
    return values | {"reason": options.reason[:500]}


def shown_work(work: Mapping[str, Any]) -> dict[str, Any]:
    """Return work as others may see it: of variables their names, since people put secrets into them.

    Of a project's files it is the names and digests: `{"files": {"roles/web/tasks/main.yml": "sha256:..."}}`.
    """
    shown = dict(work)
    for name in ("environment", "variables"):
        if isinstance(shown.get(name), dict):
            shown[name] = dict.fromkeys(shown[name], "********")
    if isinstance(files := shown.get("files"), dict):
        shown["files"] = {path: _digest(text) for path, text in files.items()}
    return shown


def shown_around(prepared: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has work in it, the plan of a schedule or the definition of a template, as others may see it."""
    return {key: shown_work(value) if key == "work" else value for key, value in prepared.items()}


def _digest(text: object) -> str:
    return f"sha256:{hashlib.sha256(str(text).encode(errors='replace')).hexdigest()}"


def _audited(run: Run, hosts: int, options: Options) -> dict[str, Any]:
    """What the log keeps: the work as it was given, and of the options those that are not as usual."""
    usual = {field.name: field.default for field in fields(Options)}
    chosen_ = {name: value for name, value in asdict(options).items() if value != usual[name]}
    told = {"runner": run.runner, "work": shown_work(run.work), "query": run.query, "hosts": hosts, **chosen_}
    if run.schedule:
        told["schedule"] = run.schedule
    if run.template:
        told |= {"template": run.template, "template_version": run.template_version, "answers": run.answers}
    if run.asked:
        told |= {"guards": {one["rule"]: one["asks"] for one in run.asked}}
    return told


@action(_VERB)
def cancel_run(actor: Actor, run_id: int) -> Run:
    """End a run: what runs is ended on the hosts, nothing more begins. One that is being cancelled stays so.

    Raises Conflict for one that has ended.
    """
    run = _locked(actor, run_id)
    if run.state == RunState.CANCELLING:
        return run
    _move(actor, run, RunState.CANCELLING, "jobs.run.cancel", RunState.QUEUED, RunState.RUNNING, RunState.PAUSED,
          RunState.STOPPING, RunState.APPROVAL)  # fmt: skip
    advance(run.pk)
    run.refresh_from_db()
    return run


@action(_VERB)
def pause_run(actor: Actor, run_id: int) -> Run:
    """Let what runs come to its end, and nothing more begin until it is resumed. Raises Conflict."""
    run = _locked(actor, run_id)
    _move(actor, run, RunState.PAUSED, "jobs.run.pause", RunState.QUEUED, RunState.RUNNING)
    return run


@action(_VERB)
def resume_run(actor: Actor, run_id: int) -> Run:
    """Go on with a run that was paused. Raises Conflict."""
    run = _locked(actor, run_id)
    _move(actor, run, RunState.QUEUED, "jobs.run.resume", RunState.PAUSED)
    announce(run.shards.filter(batch=run.batch, is_done=False, claimed_by=""))
    advance(run.pk)
    run.refresh_from_db()
    return run


@action(_VERB)
def retry_run(actor: Actor, run_id: int, *, reason: str = "") -> Run:
    """Do the same again on the hosts where it was not done: a run of its own. Raises Conflict.

    Of several who ask at once one is served: while a retry is on its way, there is none beside it.
    """
    run = _locked(actor, run_id)
    if not run.is_ended:
        raise Conflict(_("run %(id)d has not ended") % {"id": run.pk}, hint=_("wait for it, or cancel it"))
    if (other := run.retries.exclude(ended_at__isnull=False).first()) is not None:
        raise Conflict(_("run %(id)d retries it already") % {"id": other.pk}, hint=f"qd runs show {other.pk}")
    again = RunHost.objects.filter(run=run, status__in=_AGAIN).exclude(item=None).select_related("item")
    hosts = [host.item for host in again.order_by("name", "pk") if host.item]
    if not hosts:
        raise Conflict(_("there is nothing to retry"), hint=_("every host is done"))
    require(actor, _VERB, hosts)
    more = {name: getattr(run, name) for name in ("query", "title", "template", "template_version", "answers")}
    return begin(actor, run.runner, run.work, hosts, options_of(run, reason), retry_of=run, **more)


def options_of(run: Run, reason: str = "") -> Options:
    """Return how a run was done, for another one of the same hosts at once."""
    return Options(
        timeout_seconds=run.host_timeout_seconds,
        at_once=run.hosts_at_once,
        becomes=run.becomes,
        credential=run.credential,
        accepts_new_host_keys=run.accepts_new_host_keys,
        is_repeatable=run.is_repeatable,
        is_check=run.is_check,
        reason=reason,
    )


def _locked(actor: Actor, run_id: int) -> Run:
    """Return a run on all of whose hosts the actor may run. Raises NotFound, Denied."""
    from quarterdeck.jobs.runs.queries import run_of

    run_of(actor, run_id)
    run = Run.objects.select_for_update().get(pk=run_id)
    require(actor, _VERB, Item.objects.filter(pk__in=run.hosts.exclude(item=None).values("item")))
    return run


def _move(actor: Actor, run: Run, to: RunState, verb: str, *before: RunState) -> None:
    if run.state not in before:
        raise Conflict(
            _("run %(id)d is in state %(state)s") % {"id": run.pk, "state": RunState(run.state).label},
            hint=f"qd runs show {run.pk}",
        )
    record(actor, verb, run, run.title, before={"state": run.state}, after={"state": to.value})
    run.state = to
    run.save(update_fields=["state"])
