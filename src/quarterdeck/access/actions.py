"""What can be done with people, groups, roles, tokens and links."""

from quarterdeck.access.links import choose_password, complete_setup, needs_setup, password_link, setup_link
from quarterdeck.access.people import (
    bind_role,
    create_group,
    create_user,
    delete_group,
    delete_user,
    set_members,
    unbind_role,
    update_own_profile,
    update_user,
)
from quarterdeck.access.roles import create_token, delete_role, revoke_token, set_role
from quarterdeck.access.tokens import authenticate_token

__all__ = [
    "authenticate_token",
    "bind_role",
    "choose_password",
    "complete_setup",
    "create_group",
    "create_token",
    "create_user",
    "delete_group",
    "delete_role",
    "delete_user",
    "needs_setup",
    "password_link",
    "revoke_token",
    "set_members",
    "set_role",
    "setup_link",
    "unbind_role",
    "update_own_profile",
    "update_user",
]
