"""What is done with credentials. None of these shows a secret; `using` hands it to what signs in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from quarterdeck.access import scopes
from quarterdeck.access.checks import action
from quarterdeck.access.models import Attachment, Credential
from quarterdeck.access.vault import content, sealing
from quarterdeck.access.vault.queries import attachment_of, credential_named
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict

_PLAIN = ("name", "username", "description", "become_method", "become_user")
_MAX_PRIORITY = 1000


@action("credentials.manage")
def create_credential(
    actor: Actor, name: str, kind: str, secret: Mapping[str, str], values: Mapping[str, str] | None = None
) -> Credential:
    """Keep a credential. `secret` is `{"password"}` or `{"private_key", "passphrase", "certificate"}`, as its kind has.

    `values` are username, description, become_method and become_user. Raises BadInput, Conflict.
    """
    if kind not in content.FIELDS:
        raise BadInput(
            _('there is no kind of credential "%(kind)s"') % {"kind": kind[:40]},
            hint=", ".join(content.FIELDS),
            field="kind",
        )
    credential = Credential(name=name, kind=kind, created_by=actor.name, created_at=now(), secret_at=now())
    _set(credential, values or {})
    plain, credential.shown = content.read(kind, secret)
    credential.save()
    _seal(credential, plain)
    record(actor, "credentials.create", credential, after=_audited(credential))
    return credential


@action("credentials.manage")
def update_credential(
    actor: Actor, name: str, values: Mapping[str, str], secret: Mapping[str, str] | None = None
) -> Credential:
    """Change what is named in `values`; with `secret`, the secret is another from now on. Raises BadInput, Conflict."""
    credential = credential_named(name)
    before = _audited(credential)
    _set(credential, values)
    if secret:
        plain, credential.shown = content.read(credential.kind, secret)
        credential.secret_at = now()
        _seal(credential, plain)
    credential.save()
    changed = {"secret": "changed"} if secret else {}
    record(actor, "credentials.update", credential, ", ".join(changed), before=before, after=_audited(credential))
    return credential


def _seal(credential: Credential, plain: content.Secret) -> None:
    sealing.put(credential, plain)
    credential.save(update_fields=["sealed", "wrapped", "key_id"])


@action("credentials.manage")
def delete_credential(actor: Actor, name: str) -> None:
    """Delete a credential with its secret; where it was attached, the next one in order counts."""
    credential = credential_named(name)
    record(actor, "credentials.delete", credential, before=_audited(credential))
    credential.delete()


@action("credentials.manage")
def attach(actor: Actor, name: str, query: str, *, priority: int = 0) -> Attachment:
    """Let a credential be for the items that `query` selects, now and later. Raises BadInput, BadQuery."""
    credential = credential_named(name)
    _check_query(query)
    if abs(priority) > _MAX_PRIORITY:
        raise BadInput(_("a priority is from -1000 to 1000"), field="priority")
    attachment, made = Attachment.objects.update_or_create(
        credential=credential, query=query.strip(), defaults={"priority": priority}
    )
    record(actor, "credentials.attach", credential, after={"query": attachment.query, "priority": priority})
    return attachment


@action("credentials.manage")
def detach(actor: Actor, name: str, attachment_id: int) -> None:
    """Take an attachment away; the credential stays. Raises NotFound."""
    credential = credential_named(name)
    attachment = attachment_of(credential, attachment_id)
    before = {"query": attachment.query, "priority": attachment.priority}
    record(actor, "credentials.detach", credential, before=before)
    attachment.delete()


def _check_query(query: str) -> None:
    if not query.strip():
        raise BadInput(
            _("the query is empty"), hint=_("`type:host` selects every host; say so when it is meant"), field="query"
        )
    for model in scopes.models():
        compiler = scopes.compiler(model)
        if compiler is not None:
            compiler(query)


def _set(credential: Credential, values: Mapping[str, str]) -> None:
    for field in _PLAIN:
        if field in values:
            setattr(credential, field, values[field].strip())
    _check_name(credential)
    for field in ("username", "become_user"):
        _check_account(field, getattr(credential, field))
    if credential.become_method not in ("", *Credential.Become.values):
        raise BadInput(
            _("this way to become another user is unknown"), hint=", ".join(Credential.Become.values),
            field="become_method",
        )  # fmt: skip
    if credential.kind == Credential.Kind.BECOME_PASSWORD and not credential.become_method:
        credential.become_method = Credential.Become.SUDO


def _check_name(credential: Credential) -> None:
    name = credential.name
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii() or len(name) > 100:
        raise BadInput(_("a credential's name has letters, digits, - and _ only"), field="name")
    if Credential.objects.filter(name=name).exclude(pk=credential.pk).exists():
        raise Conflict(
            _('there is a credential "%(name)s" already') % {"name": name}, hint=_("choose another name"), field="name"
        )


def _check_account(field: str, name: str) -> None:
    """Refuse what no system takes for an account, and what a command would take for an option."""
    if len(name) > 64 or name.startswith("-") or any(not char.isprintable() or char in " :/" for char in name):
        raise BadInput(_("this is no name of an account"), field=field)


def _audited(credential: Credential) -> dict[str, Any]:
    """What the log keeps: nothing of the secret but what may be shown of it."""
    return {
        **{field: getattr(credential, field) for field in ("kind", *_PLAIN)},
        "fingerprint": credential.shown.get("fingerprint", ""),
    }
