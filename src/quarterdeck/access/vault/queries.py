"""Reads of credentials: what may be shown of them, and which one is for an item."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Count, Model, QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access import scopes
from quarterdeck.access.checks import require, visible
from quarterdeck.access.models import Attachment, Credential
from quarterdeck.access.vault.rings import ring_of, rings
from quarterdeck.audit.actor import Actor
from quarterdeck.core.errors import BadQuery, NotFound
from quarterdeck.core.names import did_you_mean

_CHUNK = 500


def credentials(actor: Actor) -> QuerySet[Credential]:
    """Return all credentials, without their secrets."""
    require(actor, "credentials.view")
    return Credential.objects.defer("sealed", "wrapped").prefetch_related("attachments")


def credential_of(actor: Actor, name: str) -> Credential:
    require(actor, "credentials.view")
    return credential_named(name)


def credential_named(name: str) -> Credential:
    """Raises NotFound with the near name."""
    found = Credential.objects.filter(name=name).first()
    if found is None:
        near = did_you_mean(name, Credential.objects.values_list("name", flat=True))
        raise NotFound(
            _('there is no credential "%(name)s"') % {"name": name[:100]}, hint=near or "qd credentials list"
        )
    return found


def attachment_of(credential: Credential, attachment_id: int) -> Attachment:
    found = credential.attachments.filter(pk=attachment_id).first()
    if found is None:
        raise NotFound(_("the credential has no such attachment"), hint=f"qd credentials show {credential.name}")
    return found


@dataclass(slots=True)
class Resolved:
    """The credentials in force for one item: to sign in, and to become another user there."""

    sign_in: Credential | None = None
    become: Credential | None = None


def resolve(items: Sequence[Model]) -> dict[int, Resolved]:
    """Return `{item id: Resolved}` for items of one model: of the attachments that select an item, the first counts.

    A query that no longer compiles selects nothing, and the credential's page says so.
    """
    found = {item.pk: Resolved() for item in items}
    if not items:
        return found
    model = type(items[0])
    attachments = Attachment.objects.select_related("credential").order_by("-priority", "id")
    for attachment in attachments:
        for pk in _selected(model, attachment.query, list(found)):
            _take(found[pk], attachment.credential)
    return found


def _take(resolved: Resolved, credential: Credential) -> None:
    if credential.kind == Credential.Kind.BECOME_PASSWORD:
        resolved.become = resolved.become or credential
    else:
        resolved.sign_in = resolved.sign_in or credential


def _selected(model: type[Model], query: str, keys: Sequence[int]) -> Iterable[int]:
    compiler = scopes.compiler(model)
    if compiler is None:
        return
    try:
        condition = compiler(query)
    except BadQuery:
        return
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        yield from model._default_manager.filter(pk__in=chunk).filter(condition).values_list("pk", flat=True).distinct()


def resolve_for(actor: Actor, item: Model) -> Resolved:
    """Return the credentials in force for an item that the actor may see."""
    require(actor, "credentials.view")
    return resolve([item])[item.pk]


@dataclass(frozen=True, slots=True)
class Reach:
    """How many items an attachment selects now, as far as the actor may see them; `error` when it does not compile."""

    count: int
    error: str = ""


def reach(actor: Actor, attachment: Attachment) -> Reach:
    count = 0
    for model in scopes.models():
        compiler = scopes.compiler(model)
        if compiler is None:
            continue
        try:
            condition = compiler(attachment.query)
        except BadQuery as error:
            return Reach(0, error.message)
        count += visible(actor, "inventory.view", model._default_manager.all()).filter(condition).distinct().count()
    return Reach(count)


@dataclass(frozen=True, slots=True)
class VaultState:
    """Where the keys are, how many credentials each key holds, and how many cannot be opened.

    `waiting` are to be wrapped anew by `rotate`.
    """

    place: str
    credentials: int
    waiting: int
    lost: int


def vault_state(actor: Actor) -> VaultState:
    """Return the state of the keys. Raises Unavailable when the ring in force does not answer."""
    require(actor, "credentials.view")
    rows = dict(Credential.objects.order_by().values_list("key_id").annotate(n=Count("pk")))
    total, without = sum(rows.values()), rows.pop("", 0)
    lost = sum(n for key_id, n in rows.items() if ring_of(key_id) is None)
    ring = rings()[0]
    current = ring.current() if total > lost + without else ""
    waiting = sum(n for key_id, n in rows.items() if key_id != current and ring_of(key_id) is not None)
    return VaultState(ring.place, total, waiting, lost + without)
