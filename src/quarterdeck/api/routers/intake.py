"""The intake: its state, keys, dead letters and rules of redaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.shapes import Body, Id, Line, moment
from quarterdeck.telemetry import dead_letters, keys
from quarterdeck.telemetry.intake_status import Counts, intake_status
from quarterdeck.telemetry.models import IntakeKey
from quarterdeck.telemetry.scrape_status import scrape_status

router = Router()
PerTime = Annotated[int, Field(ge=0, le=2**31 - 1)]
LetterName = Annotated[str, Query(max_length=64)]


class CountsRow(TypedDict):
    """Records of a protocol, or of one key of it (`key_id` 0: without a key)."""

    protocol: str
    key_id: int | None
    key: str
    accepted: int
    refused: int
    refused_by_reason: dict[str, int]
    spooled: int
    loaded: int
    dead: int
    lag_seconds: float
    last_at: str | None


class ListeningRow(TypedDict):
    """A port, and why nothing listens there if so."""

    protocol: str
    transport: str
    address: str
    problem: str


class StatusAnswer(Schema):
    """`protocols` sums over `keys`; `problem` says why nothing is loaded now."""

    at: str
    protocols: list[CountsRow]
    keys: list[CountsRow]
    listeners: list[ListeningRow]
    spool_bytes: int
    waiting_segments: int
    repeated_records: int
    problem: str


class TargetRow(TypedDict):
    """A scrape target; `item` is the id where the inventory named it, `scraped_at` null before the first scrape."""

    job: str
    instance: str
    url: str
    item: int | None
    is_up: bool
    error: str
    scraped_at: str | None
    duration_seconds: float
    samples: int


class TargetsAnswer(Schema):
    """`problems` says what of the configuration is not followed; `lost_samples` found the spool full."""

    items: list[TargetRow]
    next: str | None
    problems: list[str]
    lost_samples: int


class KeyRow(TypedDict):
    """An intake key; `hint` is how its text begins. No protocols stand for all of them, limits of 0 for none."""

    id: int
    name: str
    hint: str
    protocols: list[str]
    labels: dict[str, str]
    networks: list[str]
    records_per_second: int
    records_per_day: int
    created_by: str
    created_at: str
    revoked_at: str | None


class NewKeyRow(KeyRow):
    """A key with its text, which is shown this once."""

    key: str


class KeyPage(Schema):
    items: list[KeyRow]
    next: str | None


class NewKey(Body):
    name: str = Field(min_length=1, max_length=120)
    protocols: list[Line] = Field(default_factory=list, max_length=100)
    labels: dict[Line, Line] = Field(default_factory=dict, max_length=100)
    networks: list[Line] = Field(default_factory=list, max_length=100)
    records_per_second: PerTime = 0
    records_per_day: PerTime = 0


class KeyChange(Body):
    """What is left out stays."""

    name: str = Field("", min_length=1, max_length=120)
    protocols: list[Line] = Field(default_factory=list, max_length=100)
    labels: dict[Line, Line] = Field(default_factory=dict, max_length=100)
    networks: list[Line] = Field(default_factory=list, max_length=100)
    records_per_second: PerTime = 0
    records_per_day: PerTime = 0


class LetterRow(TypedDict):
    """A frame that the engine could not read."""

    name: str
    protocol: str
    stream: str
    key: str
    received_at: str
    records: int
    bytes: int
    reason: str


class LetterPage(Schema):
    items: list[LetterRow]
    next: str | None


class LetterContent(LetterRow):
    """The beginning of a dead letter, secrets replaced; what is no text comes as a hex dump."""

    text: str
    is_binary: bool
    is_cut: bool


class LetterNames(Body):
    names: list[Line] = Field(min_length=1, max_length=1000)


class LettersDone(Schema):
    """How many dead letters it was done to."""

    done: int


def _counts(row: Counts) -> dict[str, Any]:
    return {**asdict(row), "last_at": moment(row.last_at)}


@router.get("/intake/status", response=StatusAnswer)
def status(request: HttpRequest) -> dict[str, Any]:
    """Tell per protocol and key what came in, was refused, is loaded, waits or is dead, and which ports are open."""
    found = intake_status(identify(request))
    return {
        **asdict(found),
        "at": moment(found.at),
        "protocols": [_counts(row) for row in found.protocols],
        "keys": [_counts(row) for row in found.keys],
    }


@router.get("/intake/targets", response=TargetsAnswer)
def targets(request: HttpRequest) -> dict[str, Any]:
    """List the scrape targets with how the last scrape of each went."""
    found = scrape_status(identify(request))
    return {
        "items": [{**asdict(one), "scraped_at": moment(one.scraped_at)} for one in found.targets],
        "next": None,
        "problems": found.problems,
        "lost_samples": found.lost_samples,
    }


def _key(key: IntakeKey) -> KeyRow:
    return {
        "id": key.pk,
        "name": key.name,
        "hint": key.hint,
        "protocols": key.protocols,
        "labels": key.labels,
        "networks": key.networks,
        "records_per_second": key.records_per_second,
        "records_per_day": key.records_per_day,
        "created_by": key.created_by,
        "created_at": moment(key.created_at) or "",
        "revoked_at": moment(key.revoked_at),
    }


@router.get("/intake/keys", response=KeyPage)
def list_keys(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List intake keys, revoked ones too."""
    rows, cursor = by_id(keys.keys_of(identify(request)), after, limit)
    return page(request, response, [_key(key) for key in rows], cursor)


@router.post("/intake/keys", response={201: NewKeyRow})
def create_key(request: HttpRequest, response: HttpResponse, body: NewKey) -> Status[dict[str, Any]]:
    """Make an intake key. Its text is in this answer only."""
    response["Cache-Control"] = "no-store"
    key, plain = keys.create_key(identify(request), **body.dict())
    return Status(201, {**_key(key), "key": plain})


@router.get("/intake/keys/{int:key_id}", response=KeyRow)
def read_key(request: HttpRequest, key_id: Id) -> KeyRow:
    """Show an intake key."""
    return _key(keys.key_of(identify(request), key_id))


@router.patch("/intake/keys/{int:key_id}", response=KeyRow)
def change_key(request: HttpRequest, key_id: Id, body: KeyChange) -> KeyRow:
    """Change an intake key; its text stays."""
    return _key(keys.change_key(identify(request), key_id, body.dict(exclude_unset=True)))


@router.delete("/intake/keys/{int:key_id}", response={204: None})
def revoke_key(request: HttpRequest, key_id: Id) -> Status[None]:
    """Revoke an intake key: within two seconds nothing comes in with it."""
    keys.revoke_key(identify(request), key_id)
    return Status(204, None)


def _letter(letter: dead_letters.DeadLetter) -> dict[str, Any]:
    return {**asdict(letter), "received_at": moment(letter.received_at)}


@router.get("/intake/dead", response=LetterPage)
def list_dead(request: HttpRequest) -> dict[str, Any]:
    """List what the engine could not read, the newest first; at most 1,000 are kept."""
    return {"items": [_letter(letter) for letter in dead_letters.dead_letters(identify(request))], "next": None}


@router.post("/intake/dead/retry", response=LettersDone)
def retry_dead(request: HttpRequest, body: LetterNames) -> dict[str, int]:
    """Put dead letters back on the road to the engine; those that it refuses again come back."""
    return {"done": dead_letters.retry_letters(identify(request), body.names)}


@router.post("/intake/dead/delete", response=LettersDone)
def delete_dead(request: HttpRequest, body: LetterNames) -> dict[str, int]:
    """Delete dead letters for good."""
    return {"done": dead_letters.delete_letters(identify(request), body.names)}


# Behind the two above: their last words would be names here.
@router.get("/intake/dead/{name}", response=LetterContent)
def show_dead(request: HttpRequest, response: HttpResponse, name: Line) -> dict[str, Any]:
    """Show the beginning of a dead letter, secrets replaced."""
    response["Cache-Control"] = "no-store"
    found = dead_letters.show_letter(identify(request), name)
    return {**_letter(found.letter), "text": found.text, "is_binary": found.is_binary, "is_cut": found.is_cut}
