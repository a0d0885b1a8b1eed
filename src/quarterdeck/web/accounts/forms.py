"""Forms about oneself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class PasswordTwiceForm(forms.Form):
    """A new password, typed twice. What makes a good one is checked where it is set."""

    password = forms.CharField(
        label=_("Password"),
        help_text=_("At least 8 characters, not only digits, and nothing that is easily guessed."),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label=_("The same password again"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if {"password", "again"} <= set(values) and values["password"] != values["again"]:
            self.add_error("again", _("The two passwords are not the same."))
        return values


class SetUpForm(PasswordTwiceForm):
    """The first administrator."""

    username = forms.CharField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autocomplete": "username"})
    )
    email = forms.EmailField(
        label=_("E-mail address"), required=False, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    field_order = ("username", "email", "password", "again")


class ProfileForm(forms.Form):
    """How one is shown to others."""

    first_name = forms.CharField(label=_("First name"), max_length=150, required=False)
    last_name = forms.CharField(label=_("Last name"), max_length=150, required=False)
    email = forms.EmailField(label=_("E-mail address"), required=False)
