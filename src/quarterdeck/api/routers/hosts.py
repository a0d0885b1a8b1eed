"""Hosts under management: added by a pattern of their names."""

from __future__ import annotations

from typing import Annotated, NotRequired

from django.http import HttpRequest
from ninja import Router
from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Body, Id, Line, moment
from quarterdeck.jobs.facts.actions import Gathered, packages_known, refresh_facts_of
from quarterdeck.jobs.onboarding.actions import Added, add_hosts
from quarterdeck.jobs.onboarding.planning import Wanted

router = Router()
Text = Annotated[str, StringConstraints(max_length=4000)]


class NewHosts(Body):
    """Hosts by their names or patterns, `web[01:50].example`, with how they are reached.

    `address_pattern` stands for as many addresses; `values` are columns, attributes and labels of each host:
    {"env": "prod", "label.role": "web"}. A dry run only tells what would be done.
    """

    names: list[Text] = Field(min_length=1, max_length=1000)
    address_pattern: Text = ""
    user: Line = ""
    port: int | None = Field(None, ge=1, le=65535)
    jump: Text = ""
    credential: Line = ""
    values: dict[str, Text] = Field(default_factory=dict, max_length=100)
    dry_run: bool = False


class PlannedRow(TypedDict):
    """A host that the patterns stand for."""

    name: str
    address: str


class RefusedRow(TypedDict):
    """What is wrong with one host; `row` counts them from 1."""

    row: int
    field: str
    message: str


class AddedRow(TypedDict):
    """How many hosts are new, changed and as they were; `change_set` takes it back: POST /changes/{id}/undo."""

    create: int
    update: int
    unchanged: int
    errors: list[RefusedRow]
    change_set: NotRequired[int]
    hosts: list[PlannedRow]


def _row(added: Added) -> AddedRow:
    hosts: list[PlannedRow] = [{"name": host.name, "address": host.address} for host in added.hosts]
    return {**added.result, "hosts": hosts}  # type: ignore[typeddict-item]  # an import's result has these names


@router.post("/hosts", response=AddedRow)
def add(request: HttpRequest, body: NewHosts) -> AddedRow:
    """Add hosts to the inventory; those that are there already by name are changed.

    A credential is attached to them by the label `sign_in`.
    """
    wanted = Wanted(**body.dict(exclude={"dry_run"}))
    return _row(add_hosts(identify(request), wanted, dry_run=body.dry_run))


class HostsToAsk(Body):
    """Hosts by their numbers; so few at once that the answer comes within a minute."""

    ids: list[Id] = Field(min_length=1, max_length=50)
    accept_new_host_keys: bool = False


class FactsRow(TypedDict):
    """How one host's facts went: `status` is ok or failed, `code` and `message` say why."""

    item: int
    name: str
    status: str
    code: str
    message: str
    hint: str
    packages: int


class FactsAnswer(TypedDict):
    hosts: list[FactsRow]


@router.post("/hosts/facts", response=FactsAnswer)
def facts(request: HttpRequest, body: HostsToAsk) -> FactsAnswer:
    """Reach hosts now and take their facts into the inventory; one that fails keeps what is known of it."""
    done = refresh_facts_of(identify(request), body.ids, accepts_new=body.accept_new_host_keys)
    return {"hosts": [_facts_row(one) for one in done]}


def _facts_row(one: Gathered) -> FactsRow:
    return {
        "item": one.item.pk,
        "name": one.item.name,
        "status": "failed" if one.error else "ok",
        "code": one.error.code if one.error else "",
        "message": one.error.message if one.error else "",
        "hint": one.error.hint if one.error else "",
        "packages": one.packages,
    }


class PackageRow(TypedDict):
    """An installed package; `source` is empty where it is the name."""

    name: str
    version: str
    architecture: str
    source: str


class PackagesAnswer(TypedDict):
    """The packages of a host: `manager` is dpkg, rpm or apk."""

    manager: str
    count: int
    read_at: str
    packages: list[PackageRow]


@router.get("/items/{int:item_id}/packages", response=PackagesAnswer)
def packages(request: HttpRequest, item_id: Id) -> PackagesAnswer:
    """Tell which packages are installed on a host, as of its last facts."""
    actor = identify(request)
    known = packages_known(actor, find(actor, item_id))
    rows: list[PackageRow] = [
        {"name": one.name, "version": one.version, "architecture": one.architecture, "source": one.source}
        for one in known.packages()
    ]
    return {"manager": known.manager, "count": known.count, "read_at": moment(known.read_at) or "", "packages": rows}
