"""Addresses of the access pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.access import people, roles, tokens

urlpatterns = [
    path("access", people.users, name="users"),
    path("access/users/new", people.new_user, name="new_user"),
    path("access/users/<int:pk>", people.user, name="user"),
    path("access/users/<int:pk>/save", people.save_user, name="save_user"),
    path("access/users/<int:pk>/active", people.set_active, name="user_active"),
    path("access/users/<int:pk>/link", people.make_link, name="user_link"),
    path("access/groups", people.groups, name="groups"),
    path("access/groups/new", people.new_group, name="new_group"),
    path("access/groups/<int:pk>", people.group, name="group"),
    path("access/groups/<int:pk>/remove", people.remove_group, name="remove_group"),
    path("access/roles", roles.roles, name="roles"),
    path("access/roles/new", roles.new_role, name="new_role"),
    path("access/roles/preview", roles.role_preview, name="role_preview"),
    path("access/roles/<int:pk>", roles.role, name="role"),
    path("access/roles/<int:pk>/save", roles.save_role, name="save_role"),
    path("access/roles/<int:pk>/remove", roles.remove_role, name="remove_role"),
    path("access/tokens", tokens.tokens, name="tokens"),
    path("access/tokens/new", tokens.new_token, name="new_token"),
    path("access/tokens/<int:pk>/revoke", tokens.revoke_token, name="revoke_token"),
    path("me/tokens", tokens.my_tokens, name="my_tokens"),
]
