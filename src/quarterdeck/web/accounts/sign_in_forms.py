"""Django-allauth's forms with our words: labels stand above the fields, so no placeholder repeats them."""

from __future__ import annotations

from typing import Any

from allauth.account import forms as allauth
from allauth.mfa.base import forms as second_factor
from allauth.mfa.totp import forms as totp
from django.utils.translation import gettext_lazy as _

_GOOD_PASSWORD = _("At least 8 characters, not only digits, and nothing that is easily guessed.")


class _Worded:
    """Sets labels and hints by name; drops placeholders."""

    words = {
        "login": _("User name or e-mail address"),
        "password": _("Password"),
        "oldpassword": _("Current password"),
        "password1": _("New password"),
        "password2": _("The new password again"),
        "code": _("Code"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():  # type: ignore[attr-defined]
            field.widget.attrs.pop("placeholder", None)
            field.label = self.words.get(name, field.label)
        if "password1" in self.fields:  # type: ignore[attr-defined]
            self.fields["password1"].help_text = _GOOD_PASSWORD  # type: ignore[attr-defined]
        if "code" in self.fields:  # type: ignore[attr-defined]
            attributes = {"class": "qd-code-input", "inputmode": "numeric", "autocomplete": "one-time-code"}
            self.fields["code"].widget.attrs.update(attributes)  # type: ignore[attr-defined]


class SignInForm(_Worded, allauth.LoginForm):  # type: ignore[misc]  # allauth has no types
    pass


class ChangePasswordForm(_Worded, allauth.ChangePasswordForm):  # type: ignore[misc]
    pass


class SetPasswordForm(_Worded, allauth.SetPasswordForm):  # type: ignore[misc]
    pass


class ConfirmForm(_Worded, allauth.ReauthenticateForm):  # type: ignore[misc]
    pass


class SecondFactorForm(_Worded, second_factor.AuthenticateForm):  # type: ignore[misc]
    pass


class ConfirmBySecondFactorForm(_Worded, second_factor.ReauthenticateForm):  # type: ignore[misc]
    pass


class ActivateForm(_Worded, totp.ActivateTOTPForm):  # type: ignore[misc]
    pass
