"""Credentials: what hosts are signed in on with. Their secrets go in; no answer holds one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from pydantic import Field
from typing_extensions import TypedDict

from quarterdeck.access.models import Attachment, Credential
from quarterdeck.access.vault import actions, queries, rotating
from quarterdeck.api.auth import identify
from quarterdeck.api.paging import After, Limit, by_id, page
from quarterdeck.api.routers.items import find
from quarterdeck.api.shapes import Body, Id, Line, QueryText, moment

router = Router()
# A key and its certificate; a request's body has a limit of its own.
_MAX_SECRET = 64 << 10


class AttachmentRow(TypedDict):
    """The credential is for the items that `query` selects; the highest `priority` of several counts."""

    id: int
    query: str
    priority: int


class CredentialRow(TypedDict):
    """A credential; `shown` is what may be shown of its secret, such as a key's fingerprint.

    Without `has_secret` its key was lost, and its secret is to be given anew.
    """

    id: int
    name: str
    kind: str
    username: str
    description: str
    become_method: str
    become_user: str
    shown: dict[str, Any]
    has_secret: bool
    attachments: list[AttachmentRow]
    created_by: str
    created_at: str
    secret_at: str
    last_used_at: str | None


class CredentialPage(Schema):
    items: list[CredentialRow]
    next: str | None


class SecretValues(Body):
    """The parts of a secret: a password; or a private key, its passphrase and its certificate."""

    password: str = Field("", max_length=_MAX_SECRET)
    private_key: str = Field("", max_length=_MAX_SECRET)
    passphrase: str = Field("", max_length=_MAX_SECRET)
    certificate: str = Field("", max_length=_MAX_SECRET)


class NewCredential(Body):
    name: str = Field(min_length=1, max_length=100)
    kind: Line
    secret: SecretValues
    username: str = Field("", max_length=64)
    description: str = Field("", max_length=500)
    become_method: Line = ""
    become_user: str = Field("", max_length=64)


class CredentialValues(Body):
    """What is to be changed. A `secret` that is named replaces the one before, whole."""

    name: str | None = Field(None, min_length=1, max_length=100)
    secret: SecretValues | None = None
    username: str | None = Field(None, max_length=64)
    description: str | None = Field(None, max_length=500)
    become_method: Line | None = None
    become_user: str | None = Field(None, max_length=64)


class NewAttachment(Body):
    query: QueryText
    priority: int = Field(0, ge=-1000, le=1000)


class Rotation(Body):
    """`forget_lost` empties the credentials whose key is lost, so that their secrets can be given anew."""

    forget_lost: bool = False


class RotatedRow(TypedDict):
    """How many were wrapped with the new key, and which were emptied because theirs is lost."""

    rewrapped: int
    forgotten: list[str]


class VaultRow(TypedDict):
    """Where the key is, how many `credentials` there are, `waiting` for a rotation to go on, or `lost`."""

    place: str
    credentials: int
    waiting: int
    lost: int


class ResolvedRow(TypedDict):
    """The names of the credentials in force on an item; null where nothing is attached."""

    sign_in: str | None
    become: str | None


def _attachment(attachment: Attachment) -> AttachmentRow:
    return {"id": attachment.pk, "query": attachment.query, "priority": attachment.priority}


def _row(credential: Credential) -> CredentialRow:
    return {
        "id": credential.pk,
        "name": credential.name,
        "kind": credential.kind,
        "username": credential.username,
        "description": credential.description,
        "become_method": credential.become_method,
        "become_user": credential.become_user,
        "shown": credential.shown,
        "has_secret": credential.has_secret,
        "attachments": [_attachment(one) for one in credential.attachments.all()],
        "created_by": credential.created_by,
        "created_at": moment(credential.created_at) or "",
        "secret_at": moment(credential.secret_at) or "",
        "last_used_at": moment(credential.last_used_at),
    }


@router.get("/credentials", response=CredentialPage)
def list_(request: HttpRequest, response: HttpResponse, limit: Limit = 100, after: After = "") -> dict[str, Any]:
    """List the credentials, without their secrets."""
    rows, cursor = by_id(queries.credentials(identify(request)), after, limit)
    return page(request, response, [_row(credential) for credential in rows], cursor)


@router.post("/credentials", response={201: CredentialRow})
def create(request: HttpRequest, body: NewCredential) -> Status[CredentialRow]:
    """Keep a credential. A key is checked with its passphrase, a certificate with its key."""
    values = body.dict(exclude={"name", "kind", "secret"})
    made = actions.create_credential(identify(request), body.name, body.kind, body.secret.dict(), values)
    return Status(201, _row(made))


@router.get("/credentials/{slug:name}", response=CredentialRow)
def read(request: HttpRequest, name: Line) -> CredentialRow:
    """Read one credential, without its secret."""
    return _row(queries.credential_of(identify(request), name))


@router.patch("/credentials/{slug:name}", response=CredentialRow)
def change(request: HttpRequest, name: Line, body: CredentialValues) -> CredentialRow:
    """Change a credential, or give it another secret."""
    values = {key: value for key, value in body.dict(exclude={"secret"}).items() if value is not None}
    secret = body.secret.dict() if body.secret else None
    return _row(actions.update_credential(identify(request), name, values, secret))


@router.delete("/credentials/{slug:name}", response={204: None})
def delete(request: HttpRequest, name: Line) -> Status[None]:
    """Delete a credential with its secret."""
    actions.delete_credential(identify(request), name)
    return Status(204, None)


@router.post("/credentials/{slug:name}/attachments", response={201: AttachmentRow})
def attach(request: HttpRequest, name: Line, body: NewAttachment) -> Status[AttachmentRow]:
    """Let a credential be for the items of a query, now and later."""
    made = actions.attach(identify(request), name, body.query, priority=body.priority)
    return Status(201, _attachment(made))


@router.delete("/credentials/{slug:name}/attachments/{int:attachment_id}", response={204: None})
def detach(request: HttpRequest, name: Line, attachment_id: Id) -> Status[None]:
    """Take an attachment away."""
    actions.detach(identify(request), name, attachment_id)
    return Status(204, None)


@router.get("/items/{int:item_id}/credentials", response=ResolvedRow)
def resolve(request: HttpRequest, item_id: Id) -> ResolvedRow:
    """Tell which credentials are in force on an item."""
    actor = identify(request)
    found = queries.resolve_for(actor, find(actor, item_id))
    return {
        "sign_in": found.sign_in.name if found.sign_in else None,
        "become": found.become.name if found.become else None,
    }


@router.get("/vault", response=VaultRow)
def vault(request: HttpRequest) -> VaultRow:
    """Tell where the key of the credentials is, and whether it opens them all."""
    state = queries.vault_state(identify(request))
    return {name: getattr(state, name) for name in VaultRow.__annotations__}  # type: ignore[return-value]


@router.post("/vault/rotate", response=RotatedRow)
def rotate(request: HttpRequest, body: Rotation) -> RotatedRow:
    """Wrap every credential with a new key; a rotation that was interrupted goes on."""
    done = rotating.rotate(identify(request), forget_lost=body.forget_lost)
    return {"rewrapped": done.rewrapped, "forgotten": list(done.forgotten)}
