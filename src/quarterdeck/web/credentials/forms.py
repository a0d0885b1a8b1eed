"""Forms of credentials. What is a secret is never written back into a page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from quarterdeck.access.models import Credential

_BECOME = Credential.Kind.BECOME_PASSWORD
_KEYS = (Credential.Kind.SSH_KEY, Credential.Kind.SSH_CERTIFICATE)


def _secret_text(**attrs: Any) -> forms.Textarea:
    words = {"rows": 6, "spellcheck": "false", "autocomplete": "off", "class": "form-control font-monospace"}
    return forms.Textarea(attrs={**words, **attrs})


def _unused(kind: str) -> set[str]:
    """Return the fields that a credential of `kind` has not."""
    unused = {"private_key", "passphrase", "certificate"} if kind not in _KEYS else {"password"}
    if kind == Credential.Kind.SSH_KEY:
        unused.add("certificate")
    return unused | ({"username"} if kind == _BECOME else {"become_method", "become_user"})


class _OfKind(forms.Form):
    """A form that has the fields of one kind only."""

    def __init__(self, *args: Any, kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _unused(kind):
            self.fields.pop(name, None)


class SecretForm(_OfKind):
    """The parts of a secret that a kind has."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    private_key = forms.CharField(
        label=_("Private key"),
        max_length=64 << 10,
        widget=_secret_text(placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"),
        help_text=_("The whole file, in OpenSSH's or PEM format."),
    )
    passphrase = forms.CharField(
        label=_("Passphrase"),
        required=False,
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("If the key has one. The key is checked with it."),
    )
    certificate = forms.CharField(
        label=_("Certificate"),
        max_length=64 << 10,
        widget=_secret_text(rows=3, placeholder="ssh-ed25519-cert-v01@openssh.com ..."),
        help_text=_("The file that ends in -cert.pub, for this key."),
    )

    def secret(self) -> dict[str, str]:
        return {name: str(self.cleaned_data[name]) for name in SecretForm.base_fields if name in self.cleaned_data}


class ValuesForm(_OfKind):
    """What is known of a credential besides its secret."""

    name = forms.CharField(label=_("Name"), max_length=100, help_text=_("Letters, digits, - and _."))
    username = forms.CharField(
        label=_("User"), max_length=64, required=False, help_text=_("Whom to sign in as; the item's SSH user if empty.")
    )
    become_method = forms.ChoiceField(label=_("By"), choices=Credential.Become.choices)
    become_user = forms.CharField(
        label=_("Become"), max_length=64, required=False, help_text=_("Whom to become; root if empty.")
    )
    description = forms.CharField(label=_("Description"), max_length=500, required=False)

    def values(self) -> dict[str, str]:
        return {name: str(self.cleaned_data[name]) for name in ValuesForm.base_fields if name in self.cleaned_data}


class NewCredentialForm(ValuesForm, SecretForm):
    """A new credential of one kind."""

    query = forms.CharField(
        label=_("For the items that match"),
        max_length=10_000,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "type:host env:prod role:web", "spellcheck": "false"}),
        help_text=_("A query; more can be added later."),
    )
    field_order = ("name", "username", "become_method", "become_user", *SecretForm.base_fields, "query", "description")


class AttachForm(forms.Form):
    """For which items a credential is."""

    query = forms.CharField(
        label=_("For the items that match"),
        max_length=10_000,
        widget=forms.TextInput(attrs={"placeholder": "type:host env:prod role:web", "spellcheck": "false"}),
    )
    priority = forms.IntegerField(
        label=_("Priority"),
        min_value=-1000,
        max_value=1000,
        initial=0,
        help_text=_("Where several are for an item, the highest counts."),
    )
