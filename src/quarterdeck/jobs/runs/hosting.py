"""What a shard needs before its hosts' turn: rights, credentials, addresses, host keys, and the work itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from django.utils.translation import gettext as _

from quarterdeck.access.checks import require, visible
from quarterdeck.access.vault.using import Keys, use
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import OpsError
from quarterdeck.inventory.exchange.dynamic import fields_of
from quarterdeck.inventory.models import Item
from quarterdeck.inventory.queries.items import HIDDEN
from quarterdeck.jobs.files.using import WorkFiles
from quarterdeck.jobs.host_keys.using import known
from quarterdeck.jobs.reaching import become_of, target_of
from quarterdeck.jobs.runners import Circumstances, End, Host, Runner, runner_named
from quarterdeck.jobs.runs.ending import actor_of
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost
from quarterdeck.remote import loop
from quarterdeck.remote.host_keys import Place
from quarterdeck.remote.running import MAX_OUTPUT_BYTES
from quarterdeck.remote.target import Patience

VERB = "jobs.run"
_COLUMNS = ("env", "provider", "account", "region", "primary_ip", "owner", "labels")


@dataclass(slots=True)
class Prepared:
    """`hosts` are worked on; `refused` ended before that. `secrets` are what no output shows."""

    actor: Actor
    runner: Runner
    work: Any
    hosts: list[Host] = field(default_factory=list)
    refused: dict[int, End] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list, repr=False)
    places: dict[Place, int] = field(default_factory=dict)


def prepare(run: Run, hosts: Sequence[RunHost]) -> Prepared:
    """Return what the hosts need, and how those ended that are not worked on."""
    runner = runner_named(run.runner)
    found = Prepared(actor_of(run), runner, runner.read(run.work))
    allowed = _allowed(found, hosts)
    try:
        keys = _keys(found, run, [host.item for host in allowed if host.item])
    except OpsError as error:
        found.refused.update({host.pk: refusal(error) for host in allowed})
        return found
    for host in allowed:
        _add(found, run, host, keys[host.item_id or 0])
    return found


def _keys(found: Prepared, run: Run, items: Sequence[Item]) -> dict[int, Keys]:
    """Open the credentials of the items, when the actor may still do what the run does."""
    if found.runner.verb:
        require(found.actor, found.runner.verb)
    if run.accepts_new_host_keys:
        require(found.actor, "jobs.host_keys")
    if not found.runner.signs_in:
        return {item.pk: Keys(None, None) for item in items}
    return use(found.actor, items, f"run {run.pk}", name=run.credential)


def around(run: Run, found: Prepared) -> Circumstances:
    """Return what the hosts share; `keep` stores the host keys that were shown, afterwards, and `files` are closed."""
    host_keys = known([host.target for host in found.hosts], accepts_new=run.accepts_new_host_keys)
    patience = Patience(run=run.host_timeout_seconds)
    return Circumstances(
        loop.pool(), host_keys, patience, MAX_OUTPUT_BYTES, WorkFiles(run.actor), run.is_check, run.becomes,
        at_once=run.hosts_at_once,
    )  # fmt: skip


def _allowed(found: Prepared, hosts: Sequence[RunHost]) -> list[RunHost]:
    """Return the hosts on which the actor may run by now; note why not of the others."""
    items = visible(found.actor, VERB, Item.objects.filter(pk__in=[host.item_id for host in hosts]))
    mine = set(items.exclude(lifecycle__in=HIDDEN).values_list("pk", flat=True))
    for host in hosts:
        if host.item_id not in mine:
            text = _("it is gone from the inventory, or you may not run anything on it any more")
            found.refused[host.pk] = End(HostStatus.FAILED, error=text, error_code="denied")
    return [host for host in hosts if host.pk not in found.refused]


def _add(found: Prepared, run: Run, host: RunHost, keys: Keys) -> None:
    item = cast(Item, host.item)
    try:
        target = target_of(item, keys)
    except OpsError as error:
        found.refused[host.pk] = refusal(error)
        return
    become = become_of(keys, is_asked=run.becomes or found.runner.may_become)
    columns = {column: getattr(item, column) for column in _COLUMNS}
    variables = {**columns, **item.attributes, "name": host.name}
    fields = fields_of(item) if found.runner.run_together else {}
    found.hosts.append(Host(host.pk, host.name, target, become, variables, fields))
    found.places[(target.address, target.port)] = item.pk
    for opened in (keys.sign_in, keys.become):
        if opened is not None:
            found.secrets.extend(one for one in (opened.password, opened.private_key) if one)


def fault() -> End:
    """What went wrong is a matter of ours."""
    return End(HostStatus.FAILED, error=_("a fault of Quarterdeck itself; its log tells more"), error_code="bug")


def refusal(error: OpsError) -> End:
    """Why a host's turn never came."""
    text = f"{error.message} ({error.hint})" if error.hint else error.message
    return End(HostStatus.FAILED, error=text, error_code=error.code)
