"""Intake keys: made, changed and revoked here. Running intakes read them anew every two seconds."""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from quarterdeck.access.checks import action, require
from quarterdeck.audit.actions import record
from quarterdeck.audit.actor import Actor
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, NotFound
from quarterdeck.core.names import did_you_mean
from quarterdeck.telemetry.loading import receivers
from quarterdeck.telemetry.models import IntakeKey

ALL = "all"
# 16 bytes as hex digits: Sentry's public keys and Zabbix's PSK identities take nothing else.
_KEY_BYTES = 16
_HINT_CHARACTERS = 6
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,99}")
_LABELS_MAX = 20
_NETWORKS_MAX = 100
_LIMIT_MAX = 2**31 - 1


def keys_of(actor: Actor) -> QuerySet[IntakeKey]:
    """Return all keys, newest first. Raises Denied."""
    require(actor, "telemetry.keys")
    return IntakeKey.objects.all()


def key_of(actor: Actor, key: int) -> IntakeKey:
    """Raises NotFound, Denied."""
    found = keys_of(actor).filter(pk=key).first()
    if found is None:
        raise NotFound(_("there is no intake key %(id)d") % {"id": key})
    return found


@action("telemetry.keys")
def create_key(
    actor: Actor,
    name: str,
    *,
    protocols: Iterable[str] = (),
    labels: Mapping[str, str] | None = None,
    networks: Iterable[str] = (),
    records_per_second: int = 0,
    records_per_day: int = 0,
) -> tuple[IntakeKey, str]:
    """Make a key and return it with its text, 32 hex digits, which is shown this once.

    `protocols` are names of receivers; none, or "all", stands for every one. Limits of 0 are none. Raises BadInput,
    Conflict for a name that another key has.
    """
    plain = secrets.token_hex(_KEY_BYTES)
    key = IntakeKey(
        name=_name(name),
        digest=hashlib.sha256(plain.encode()).hexdigest(),
        hint=plain[:_HINT_CHARACTERS],
        protocols=_protocols(protocols),
        labels=_labels(labels or {}),
        networks=_networks(networks),
        records_per_second=_limit("records_per_second", records_per_second),
        records_per_day=_limit("records_per_day", records_per_day),
        created_by=actor.name,
        created_at=now(),
    )
    _check_name_is_free(key)
    key.save(force_insert=True)
    record(actor, "telemetry.create_key", key, after=_shown(key))
    return key, plain


@action("telemetry.keys")
def change_key(actor: Actor, key: int, changes: Mapping[str, Any]) -> IntakeKey:
    """Change a key; its text stays. Raises BadInput, NotFound, Conflict.

    `changes` holds new values by name: name, protocols, labels, networks, records_per_second, records_per_day.
    """
    found = key_of(actor, key)
    if found.revoked_at is not None:
        raise Conflict(_('the key "%(name)s" is revoked') % {"name": found.name}, hint=_("make a new one"))
    before = _shown(found)
    for name, value in changes.items():
        setattr(found, name, _CHECKS[name](value))
    _check_name_is_free(found)
    if _shown(found) != before:
        found.save()
        record(actor, "telemetry.change_key", found, before=before, after=_shown(found))
    return found


@action("telemetry.keys")
def revoke_key(actor: Actor, key: int) -> IntakeKey:
    """Revoke a key: within two seconds nothing comes in with it. Its name is free again. Raises NotFound."""
    found = key_of(actor, key)
    if found.revoked_at is None:
        found.revoked_at = now()
        found.save(update_fields=["revoked_at"])
        record(actor, "telemetry.revoke_key", found)
    return found


def _shown(key: IntakeKey) -> dict[str, Any]:
    names = ("name", "protocols", "labels", "networks", "records_per_second", "records_per_day")
    return {name: getattr(key, name) for name in names}


def _check_name_is_free(key: IntakeKey) -> None:
    if IntakeKey.objects.filter(name=key.name, revoked_at=None).exclude(pk=key.pk).exists():
        raise Conflict(
            _('another intake key is called "%(name)s"') % {"name": key.name},
            hint=_("choose another name, or revoke that key first"),
            field="name",
        )


def _name(name: str) -> str:
    text = name.strip()
    if not 1 <= len(text) <= 120 or not text.isprintable():
        raise BadInput(_("a key needs a name of 1 to 120 characters"), field="name")
    return text


def _protocols(names: Iterable[str]) -> list[str]:
    """Return the receivers' names in order, none for all of them."""
    wanted = {name.strip().lower().replace("-", "_") for name in names if name.strip()}
    if ALL in wanted:
        return []
    known = receivers()
    for name in sorted(wanted - set(known)):
        raise BadInput(
            _('no protocol is called "%(name)s"') % {"name": name},
            hint=did_you_mean(name, known) or ", ".join([ALL, *sorted(known)]),
            field="protocols",
        )
    return sorted(wanted)


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    if len(labels) > _LABELS_MAX:
        raise BadInput(_("a key can add %(max)d labels at most") % {"max": _LABELS_MAX}, field="labels")
    for name, value in labels.items():
        if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
            raise BadInput(
                _('"%(name)s" is no name of a label') % {"name": name[:100]},
                hint=_("letters, digits, _ and . are allowed, for example env"),
                field="labels",
            )
        if not 1 <= len(value) <= 255 or not value.isprintable():
            raise BadInput(_("the value of the label %(name)s is empty or too long") % {"name": name}, field="labels")
    return dict(sorted(labels.items()))


def _networks(networks: Iterable[str]) -> list[str]:
    found = []
    for text in networks:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise BadInput(
                _('"%(text)s" is no network') % {"text": text[:60]}, hint="10.0.0.0/8, 192.0.2.7", field="networks"
            ) from None
    if len(found) > _NETWORKS_MAX:
        raise BadInput(_("a key can have %(max)d networks at most") % {"max": _NETWORKS_MAX}, field="networks")
    return sorted(set(found))


def _limit(field: str, value: int) -> int:
    if not 0 <= value <= _LIMIT_MAX:
        raise BadInput(
            _("a limit is a number from 0, which is no limit, to %(max)d") % {"max": _LIMIT_MAX}, field=field
        )
    return value


_CHECKS: Mapping[str, Any] = {
    "name": _name,
    "protocols": _protocols,
    "labels": _labels,
    "networks": _networks,
    "records_per_second": lambda value: _limit("records_per_second", value),
    "records_per_day": lambda value: _limit("records_per_day", value),
}
