"""Forms of the access pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.utils.translation import gettext_lazy as _

from quarterdeck.access.models import Role, User
from quarterdeck.core.clock import now


class Checks(forms.CheckboxSelectMultiple):
    """Checkboxes with the design system's look: the class belongs to each box, not to what holds them."""

    def create_option(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        option: dict[str, Any] = super().create_option(*args, **kwargs)
        option["attrs"]["class"] = "form-check-input"
        return option


class _Names(forms.MultipleChoiceField):
    """Several of a table's names, as checkboxes."""

    widget = Checks

    def offer(self, choices: list[tuple[str, str]], none: Any) -> None:
        """Set the choices; `none` is said when there are none."""
        self.choices = choices
        self.help_text = self.help_text if choices else none


# What the product's own roles are called: their titles in the table are English.
_BUILT_IN = {
    "admin": _("Administrator"),
    "operator": _("Operator"),
    "viewer": _("Viewer"),
    "auditor": _("Auditor"),
}


def role_title(role: Role) -> str:
    """Return the title that people read: translated for a built-in role, else its own, or its name."""
    if role.builtin and role.name in _BUILT_IN:
        return str(_BUILT_IN[role.name])
    return role.title or role.name


def _role_choices() -> list[tuple[str, str]]:
    return [(role.name, role_title(role)) for role in Role.objects.all()]


def _group_choices() -> list[tuple[str, str]]:
    return [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]


def _user_choices() -> list[tuple[str, str]]:
    return [(name, name) for name in User.objects.order_by("username").values_list("username", flat=True)]


class NewUserForm(forms.Form):
    """A new account; its person chooses the password by a link."""

    username = forms.CharField(label=_("User name"), max_length=150)
    email = forms.EmailField(label=_("E-mail address"), required=False)
    roles = _Names(label=_("Roles"), required=False)
    groups = _Names(label=_("Groups"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].offer(_role_choices(), _("There are no roles yet."))  # type: ignore[attr-defined]
        self.fields["groups"].offer(_group_choices(), _("There are no groups yet."))  # type: ignore[attr-defined]


class UserForm(forms.Form):
    """An account as an administrator may change it."""

    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    email = forms.EmailField(label=_("E-mail address"), required=False)
    roles = _Names(label=_("Roles"), required=False)
    groups = _Names(label=_("Groups"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].offer(_role_choices(), _("There are no roles yet."))  # type: ignore[attr-defined]
        self.fields["groups"].offer(_group_choices(), _("There are no groups yet."))  # type: ignore[attr-defined]


class GroupForm(forms.Form):
    """A group: its members, and the roles that all of them get."""

    name = forms.CharField(label=_("Name"), max_length=150)
    roles = _Names(label=_("Roles"), required=False)
    members = _Names(label=_("Members"), required=False)

    def __init__(self, *args: Any, of: Group | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].offer(_role_choices(), _("There are no roles yet."))  # type: ignore[attr-defined]
        self.fields["members"].offer(_user_choices(), _("There are no users yet."))  # type: ignore[attr-defined]
        self.fields["name"].disabled = of is not None


class RoleForm(forms.Form):
    """A role: what it allows, on which items, and who holds it."""

    name = forms.RegexField(
        r"^[A-Za-z0-9_-]+$",
        label=_("Name"),
        max_length=60,
        help_text=_("Letters, digits, - and _. It never changes."),
        error_messages={"invalid": _("Use letters, digits, - and _ only.")},
    )
    title = forms.CharField(label=_("Title"), max_length=120, required=False)
    description = forms.CharField(label=_("Description"), max_length=500, required=False)
    query = forms.CharField(
        label=_("On the items that match"),
        required=False,
        max_length=10_000,
        help_text=_("A query such as env:prod role:web. Empty means all items."),
    )
    verbs = forms.MultipleChoiceField(label=_("May"), required=False)
    users = _Names(label=_("People"), required=False)
    groups = _Names(label=_("Groups"), required=False)

    def __init__(self, *args: Any, of: Role | None = None, verbs: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["verbs"].choices = [(name, name) for name in verbs]  # type: ignore[attr-defined]
        self.fields["users"].offer(_user_choices(), _("There are no users yet."))  # type: ignore[attr-defined]
        self.fields["groups"].offer(_group_choices(), _("There are no groups yet."))  # type: ignore[attr-defined]
        self.fields["name"].disabled = of is not None
        if of is not None and of.builtin:
            for name in ("title", "description", "query", "verbs"):
                self.fields[name].disabled = True


class TokenForm(forms.Form):
    """A new token: what it may do and for how long."""

    LIFETIMES = (
        ("7", _("7 days")),
        ("30", _("30 days")),
        ("90", _("90 days")),
        ("365", _("1 year")),
        ("", _("never")),
    )

    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What uses it, for example ci."))
    roles = _Names(label=_("Roles"), error_messages={"required": _("Choose at least one role.")})
    days = forms.ChoiceField(label=_("Expires after"), choices=LIFETIMES, initial="90", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["roles"].offer(_role_choices(), _("There are no roles yet."))  # type: ignore[attr-defined]

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["days"]
        return now() + timedelta(days=int(days)) if days else None
