"""From an item and the credentials in force on it to where a connection goes, and as whom."""

from __future__ import annotations

from django.utils.translation import gettext as _

from quarterdeck.access.models import Credential
from quarterdeck.access.vault.using import Keys, Opened
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.models import Item
from quarterdeck.remote.target import Become, SignIn, Target, parse_jumps

_USER = "root"
_PORT = 22


def target_of(item: Item, keys: Keys, *, agent_path: str = "", config: tuple[str, ...] = ()) -> Target:
    """Return how `item` is reached. Raises BadInput for jump hosts that cannot be read.

    The address is its primary one, else its full name, else its name; the user is the credential's, else the item's.
    Jump hosts are signed in on with the same credential.
    """
    found = item.attributes
    user = (keys.sign_in.username if keys.sign_in else "") or found.get("ssh_user") or _USER
    sign_in = sign_in_of(keys.sign_in, agent_path)
    try:
        jumps = parse_jumps(str(found.get("ssh_proxy_jump") or ""), user, sign_in)
    except ValueError as error:
        raise BadInput(
            _("the jump hosts of %(name)s cannot be read: %(reason)s") % {"name": item.name, "reason": error},
            hint="ops@bastion:22,inner",
            field="ssh_proxy_jump",
        ) from error
    address = item.primary_ip or found.get("fqdn") or item.name
    return Target(str(address), int(found.get("ssh_port") or _PORT), user, sign_in, jumps, config)


def sign_in_of(opened: Opened | None, agent_path: str = "") -> SignIn:
    if opened is None:
        return SignIn(agent_path=agent_path)
    return SignIn(opened.password, opened.private_key, opened.certificate)


def become_of(keys: Keys, *, is_asked: bool = True) -> Become | None:
    """Return how to become another user where that is asked for; by sudo without a password when nothing is kept."""
    if not is_asked:
        return None
    if keys.become is None:
        return Become()
    method = keys.become.become_method or Credential.Become.SUDO.value
    return Become(method, keys.become.become_user or _USER, keys.become.password)
