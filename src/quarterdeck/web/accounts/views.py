"""The first set-up, one-time links to choose a password, and one's own profile."""

from __future__ import annotations

from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from quarterdeck.access import actions, registry
from quarterdeck.access.actors import actor_of
from quarterdeck.access.grants import user_grants
from quarterdeck.access.links import find_link, find_setup_link
from quarterdeck.access.models import OneTimeLink, User
from quarterdeck.core.errors import NotFound
from quarterdeck.web.accounts.forms import PasswordTwiceForm, ProfileForm, SetUpForm
from quarterdeck.web.forms import errors_into, form_status, posted
from quarterdeck.web.pages import PageRequest, page

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@never_cache
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Make the first administrator and sign them in. The link in the address is the permission."""
    find_setup_link(secret)
    form = SetUpForm(posted(request)[0])
    if form.is_valid():
        values = form.cleaned_data
        with errors_into(form):
            user = actions.complete_setup(
                actor_of(request), secret, values["username"], values["email"], values["password"]
            )
            messages.success(request, _("Quarterdeck is set up. This machine's items appear within half a minute."))
            answer: HttpResponseBase = perform_login(request, user, redirect_url=reverse("web:overview"))
            return answer
    return render(request, "web/accounts/set_up.html", {"form": form}, status=form_status(form))


@never_cache
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def choose_password(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Set the password of the link's person, who then signs in with it (and the second factor, if there is one)."""
    link = find_link(OneTimeLink.Purpose.PASSWORD, secret)
    form = PasswordTwiceForm(posted(request)[0])
    if form.is_valid():
        with errors_into(form):
            user = actions.choose_password(actor_of(request), secret, form.cleaned_data["password"])
            if request.user == user:
                update_session_auth_hash(request, user)
            messages.success(request, _("The password is set. Sign in with it."))
            return redirect("account_login")
    context = {"form": form, "person": link.user}
    return render(request, "web/accounts/choose_password.html", context, status=form_status(form))


@require_http_methods(["GET", "HEAD", "POST"])
@page()
def profile(request: PageRequest) -> HttpResponseBase:
    """One's name and address, and what one may do."""
    if not isinstance(request.user, User):
        raise NotFound(_("A token has no profile."), hint=_("Sign in as a person."))
    person = request.user
    initial = {"first_name": person.first_name, "last_name": person.last_name, "email": person.email}
    form = ProfileForm(posted(request)[0], initial=initial)
    if form.is_valid():
        with errors_into(form):
            actions.update_own_profile(request.actor, form.cleaned_data)
            messages.success(request, _("The profile is saved."))
            return redirect("web:profile")
    verbs = registry.verbs()
    grants = [
        {
            "query": grant.query,
            "titles": [verbs[name].title for name in sorted(registry.expand(list(grant.verbs)))],
        }
        for grant in user_grants(person.pk)
    ]
    context = {"form": form, "grants": grants}
    return render(request, "web/accounts/profile.html", context, status=form_status(form))
