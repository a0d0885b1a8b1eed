"""What Ctrl-K finds. A capability adds a kind of hit by one row in PROVIDERS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from quarterdeck.access.checks import may
from quarterdeck.access.models import User
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import queries
from quarterdeck.inventory.actions import UNCLAIMED
from quarterdeck.telemetry.loading import receivers
from quarterdeck.web.navigation import entries_for

HITS_PER_PROVIDER = 7
_AUDIT_FROM_CHARACTERS = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """One line of the palette."""

    title: str
    url: str
    icon: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """A kind of hit. `search(actor, text, limit)` returns the best first, only what the actor may see.

    `verb` is what the actor must hold for it to be asked at all.
    """

    title: str | Promise
    verb: str
    search: Callable[[Actor, str, int], Iterable[Hit]]


def _matches(text: str, *candidates: object) -> bool:
    words = text.lower().split()
    whole = " ".join(str(candidate) for candidate in candidates).lower()
    return all(word in whole for word in words)


def _pages(actor: Actor, text: str, limit: int) -> list[Hit]:
    found = [entry for entry in entries_for(actor) if _matches(text, entry.title, entry.keywords)]
    return [Hit(str(entry.title), entry.url, entry.icon, str(entry.group)) for entry in found[:limit]]


def _items(actor: Actor, text: str, limit: int) -> list[Hit]:
    if not text.strip():
        return []
    types = queries.catalogue().types
    return [
        Hit(item.name, reverse("web:item", args=[item.pk]), types[item.type.code].icon, item.primary_ip or "")
        for item in queries.search(actor, text, limit)
    ]


def _views(actor: Actor, text: str, limit: int) -> list[Hit]:
    found = [view for view in queries.views(actor) if _matches(text, view.title, view.query)]
    address = reverse("web:items")
    return [
        Hit(view.title, f"{address}?{urlencode({'view': view.slug})}", "bookmark", view.query) for view in found[:limit]
    ]


def _actions(actor: Actor, text: str, limit: int) -> list[Hit]:
    every = [
        (_("New item"), reverse("web:item_new"), "plus", "inventory.edit"),
        (_("Open the trash"), reverse("web:trash"), "trash", "inventory.view"),
        (_("New intake key"), reverse("web:intake_key_new"), "key", "telemetry.keys"),
        (_("Rules of redaction"), reverse("web:intake_rules"), "eye-off", "telemetry.keys"),
        (_("Dead letters"), reverse("web:intake_dead"), "mail-x", "telemetry.intake"),
        (
            _("Unclaimed senders"),
            f"{reverse('web:items')}?{urlencode({'q': UNCLAIMED})}",
            "question-mark",
            "inventory.view",
        ),
    ]
    return [Hit(title, url, icon) for title, url, icon, verb in every if _matches(text, title) and may(actor, verb)][
        :limit
    ]


def _protocols(actor: Actor, text: str, limit: int) -> list[Hit]:
    """How a client is pointed here: "zabbix", "sentry"."""
    if not text.strip():
        return []
    found = [(name, receiver) for name, receiver in receivers().items() if _matches(text, name, receiver.title)]
    return [
        Hit(_(receiver.title), reverse("web:intake_connect", args=[name]), "antenna", name)
        for name, receiver in found[:limit]
    ]


def _types(actor: Actor, text: str, limit: int) -> list[Hit]:
    found = [spec for spec in queries.catalogue().types.values() if _matches(text, spec.title, spec.code)]
    return [Hit(spec.title, reverse("web:type", args=[spec.code]), spec.icon, spec.code) for spec in found[:limit]]


def _people(actor: Actor, text: str, limit: int) -> list[Hit]:
    words = Q(username__icontains=text) | Q(email__icontains=text)
    found = User.objects.filter(words).order_by("username")[:limit] if text.strip() else []
    return [Hit(user.username, reverse("web:user", args=[user.pk]), "users", user.email) for user in found]


def _audit(actor: Actor, text: str, limit: int) -> list[Hit]:
    """One line that leads to the log: what is said of `text` there is told best by the log's own page."""
    if len(text.strip()) < _AUDIT_FROM_CHARACTERS:
        return []
    title = _('Search the audit log for "%(text)s"') % {"text": text.strip()}
    quoted = '"' + text.strip().replace("\\", "\\\\").replace('"', '\\"') + '"'
    return [Hit(title, f"{reverse('web:audit')}?{urlencode({'q': quoted})}", "shield-check")]


PROVIDERS: tuple[Provider, ...] = (
    Provider(gettext_lazy("Items"), "inventory.view", _items),
    Provider(gettext_lazy("Pages"), "", _pages),
    Provider(gettext_lazy("Saved views"), "inventory.view", _views),
    Provider(gettext_lazy("Connect to the intake"), "telemetry.intake", _protocols),
    Provider(gettext_lazy("Types"), "inventory.view", _types),
    Provider(gettext_lazy("People"), "access.view", _people),
    Provider(gettext_lazy("Actions"), "", _actions),
    Provider(gettext_lazy("Audit"), "audit.view", _audit),
)


def search(actor: Actor, text: str) -> list[tuple[str, list[Hit]]]:
    """Return `[("Items", [Hit, ...]), ...]` of what is found, in the order of PROVIDERS."""
    groups = []
    for provider in PROVIDERS:
        if provider.verb and not may(actor, provider.verb):
            continue
        hits = list(provider.search(actor, text[:200], HITS_PER_PROVIDER))
        if hits:
            groups.append((str(provider.title), hits))
    return groups
